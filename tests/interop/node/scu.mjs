// dcmjs-dimse as a service user: node scu.mjs PORT OPERATION PARAMETERS
// The parameters are JSON; the last line on standard output is the report, JSON as well.
import fs from 'node:fs';
import path from 'node:path';
import dcmjsDimse from 'dcmjs-dimse';

const { Client, Dataset, requests, responses, constants, log } = dcmjsDimse;
const { Status, SopClass } = constants;
log.setLevel('silent');

const [port, operation, parameters] = [
  Number(process.argv[2]),
  process.argv[3],
  JSON.parse(process.argv[4] ?? '{}'),
];
const report = { statuses: [], matches: [], events: [] };
const client = new Client();

function request(made) {
  made.on('response', (response) => {
    report.statuses.push(response.getStatus());
    if (response.getStatus() === Status.Pending && response.hasDataset()) {
      report.matches.push(response.getDataset().getElements());
    }
  });
  client.addRequest(made);
  return made;
}

function cancelAtOnce(made) {
  // The request goes out when this event's listeners have run, the C-CANCEL right behind it.
  client.on('associationAccepted', () => setImmediate(() => client.cancel(made)));
}

function performedProcedureStep({ uid, create, sets }) {
  const created = new requests.NCreateRequest(SopClass.ModalityPerformedProcedureStep, uid);
  created.setDataset(new Dataset(create));
  request(created);
  sets.forEach((set) => {
    const changed = new requests.NSetRequest(SopClass.ModalityPerformedProcedureStep, uid);
    changed.setDataset(new Dataset(set));
    request(changed);
  });
}

const COMMITMENT_INSTANCE = '1.2.840.10008.1.20.1.1';

function commitment({ transaction, instances }) {
  const action = new requests.NActionRequest(
    SopClass.StorageCommitmentPushModel, COMMITMENT_INSTANCE, 1,
  );
  action.setDataset(
    new Dataset({
      TransactionUID: transaction,
      ReferencedSOPSequence: instances.map(([sopClass, sopInstance]) => ({
        ReferencedSOPClassUID: sopClass,
        ReferencedSOPInstanceUID: sopInstance,
      })),
    }),
  );
  client.on('nEventReportRequest', (event, answer) => {
    report.events.push({ type: event.getEventTypeId(), ...event.getDataset().getElements() });
    const response = responses.NEventReportResponse.fromRequest(event);
    response.setStatus(Status.Success);
    answer(response);
    client.network.sendAssociationReleaseRequest();
  });
  request(action);
}

const OPERATIONS = {
  echo: () => request(new requests.CEchoRequest()),
  store: ({ files }) => files.forEach((file) => request(new requests.CStoreRequest(file))),
  find: ({ keys, cancel }) => {
    const find = request(requests.CFindRequest.createStudyFindRequest(keys));
    if (cancel) cancelAtOnce(find);
  },
  worklist: ({ keys }) => request(requests.CFindRequest.createWorklistFindRequest(keys)),
  move: ({ destination, study }) =>
    request(requests.CMoveRequest.createStudyMoveRequest(destination, study)),
  get: ({ study, folder }) => {
    client.on('cStoreRequest', (store, answer) => {
      const dataset = store.getDataset();
      dataset.toFile(path.join(folder, `${store.getAffectedSopInstanceUid()}.dcm`));
      const response = responses.CStoreResponse.fromRequest(store);
      response.setStatus(Status.Success);
      answer(response);
    });
    request(requests.CGetRequest.createStudyGetRequest(study));
  },
  mpps: performedProcedureStep,
  commit: commitment,
};

let failed = false;
client.on('networkError', (error) => {
  failed = true;
  console.error(String(error));
});
client.on('associationRejected', (rejection) => {
  failed = true;
  console.error(JSON.stringify(rejection));
});
client.on('closed', () => {
  fs.writeSync(1, `${JSON.stringify(report)}\n`);
  process.exit(failed ? 1 : 0);
});
OPERATIONS[operation](parameters);
client.send('127.0.0.1', port, 'DCMJS', parameters.called ?? 'ISOCENTER', {
  associationLingerTimeout: parameters.linger ?? 0,
});
