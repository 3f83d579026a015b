// dcmjs-dimse as a service provider: node scp.mjs PORT FOLDER DESTINATIONS
// It keeps instances in FOLDER/received and the states of performed steps in FOLDER/steps.txt, and
// answers worklist queries with FOLDER/worklist.json. DESTINATIONS is JSON: ports by AE title.
import fs from 'node:fs';
import path from 'node:path';
import dcmjsDimse from 'dcmjs-dimse';

const { Client, Dataset, Scp, Server, requests, responses, constants, log } = dcmjsDimse;
log.setLevel('silent');
const { PresentationContextResult, SopClass, Status, StorageClass, TransferSyntax } = constants;

const [port, folder, destinations] = [
  Number(process.argv[2]),
  process.argv[3],
  JSON.parse(process.argv[4] ?? '{}'),
];
const received = path.join(folder, 'received');
const SERVED = new Set([...Object.values(SopClass), ...Object.values(StorageClass)]);
const SYNTAXES = [TransferSyntax.ExplicitVRLittleEndian, TransferSyntax.ImplicitVRLittleEndian];

const stored = () =>
  fs.readdirSync(received).map((name) => Dataset.fromFile(path.join(received, name)));

// Every key with a value must be equal: enough for a peer that is asked exact questions.
const matches = (keys) => (dataset) =>
  Object.entries(keys).every(
    ([key, value]) =>
      typeof value !== 'string' || value === '' || key === 'QueryRetrieveLevel' ||
      String(dataset.getElement(key)) === value,
  );

function answered(response, status) {
  response.setStatus(status);
  return response;
}

class Peer extends Scp {
  associationRequested(association) {
    this.association = association;
    association.getPresentationContexts().forEach(({ id }) => {
      const context = association.getPresentationContext(id);
      const syntax = SYNTAXES.find((each) => context.getTransferSyntaxUids().includes(each));
      if (!SERVED.has(context.getAbstractSyntaxUid())) {
        context.setResult(PresentationContextResult.RejectAbstractSyntaxNotSupported);
      } else if (syntax === undefined) {
        context.setResult(PresentationContextResult.RejectTransferSyntaxesNotSupported);
      } else {
        context.setResult(PresentationContextResult.Accept, syntax);
      }
    });
    this.sendAssociationAccept();
  }

  associationReleaseRequested() {
    this.sendAssociationReleaseResponse();
  }

  cEchoRequest(request, answer) {
    answer(answered(responses.CEchoResponse.fromRequest(request), Status.Success));
  }

  cStoreRequest(request, answer) {
    const uid = request.getAffectedSopInstanceUid();
    request.getDataset().toFile(path.join(received, `${uid}.dcm`));
    answer(answered(responses.CStoreResponse.fromRequest(request), Status.Success));
  }

  cFindRequest(request, answer) {
    const keys = request.getDataset().getElements();
    if (keys.PatientID === 'WAIT-FOR-CANCEL') {
      this.waiting = { request, answer };
      const match = responses.CFindResponse.fromRequest(request);
      match.setDataset(new Dataset({ PatientID: keys.PatientID }));
      this.sendResponse(request, answered(match, Status.Pending));
      return;
    }
    const isWorklist =
      request.getAffectedSopClassUid() === SopClass.ModalityWorklistInformationModelFind;
    const found = isWorklist
      ? JSON.parse(fs.readFileSync(path.join(folder, 'worklist.json'))).map((e) => new Dataset(e))
      : stored().filter(matches(keys));
    const pending = found.map((dataset) => {
      const response = responses.CFindResponse.fromRequest(request);
      const elements = isWorklist
        ? dataset.getElements()
        : Object.fromEntries(Object.keys(keys).map((key) => [key, dataset.getElement(key) ?? '']));
      response.setDataset(new Dataset({ ...elements, _vrMap: undefined }));
      return answered(response, Status.Pending);
    });
    answer([...pending, answered(responses.CFindResponse.fromRequest(request), Status.Success)]);
  }

  cCancelRequest() {
    const { request, answer } = this.waiting;
    answer(answered(responses.CFindResponse.fromRequest(request), Status.Cancel));
  }

  cMoveRequest(request, answer) {
    const found = stored().filter(matches(request.getDataset().getElements()));
    const title = request.getCommandDataset().getElement('MoveDestination').trim();
    const client = new Client();
    let completed = 0;
    found.forEach((dataset) => {
      const store = new requests.CStoreRequest(dataset);
      store.on('response', (r) => (completed += r.getStatus() === Status.Success ? 1 : 0));
      client.addRequest(store);
    });
    client.on('closed', () => {
      const response = responses.CMoveResponse.fromRequest(request);
      response.setRemaining(0);
      response.setCompleted(completed);
      response.setFailures(found.length - completed);
      response.setWarnings(0);
      answer(answered(response, Status.Success));
    });
    client.send('127.0.0.1', destinations[title], 'DCMJS', title);
  }

  cGetRequest(request, answer) {
    const found = stored().filter(matches(request.getDataset().getElements()));
    let completed = 0;
    this.on('done', () => {
      const response = responses.CGetResponse.fromRequest(request);
      response.setRemaining(0);
      response.setCompleted(completed);
      response.setFailures(found.length - completed);
      response.setWarnings(0);
      answer(answered(response, Status.Success));
    });
    this.sendRequests(
      found.map((dataset) => {
        const store = new requests.CStoreRequest(dataset);
        store.on('response', (r) => (completed += r.getStatus() === Status.Success ? 1 : 0));
        return store;
      }),
    );
  }

  nCreateRequest(request, answer) {
    this.keepStep(request, request.getAffectedSopInstanceUid());
    answer(answered(responses.NCreateResponse.fromRequest(request), Status.Success));
  }

  nSetRequest(request, answer) {
    this.keepStep(request, request.getRequestedSopInstanceUid());
    answer(answered(responses.NSetResponse.fromRequest(request), Status.Success));
  }

  keepStep(request, uid) {
    const { PerformedProcedureStepStatus } = request.getDataset().getElements();
    fs.appendFileSync(path.join(folder, 'steps.txt'), `${uid} ${PerformedProcedureStepStatus}\n`);
  }

  nActionRequest(request, answer) {
    const response = responses.NActionResponse.fromRequest(request);
    answer(answered(response, Status.Success));
    const { TransactionUID, ReferencedSOPSequence } = request.getDataset().getElements();
    const event = new requests.NEventReportRequest(
      SopClass.StorageCommitmentPushModel, request.getRequestedSopInstanceUid(), 1,
    );
    event.setDataset(new Dataset({ TransactionUID, ReferencedSOPSequence }));
    this.sendRequests([event]);
  }
}

const server = new Server(Peer);
server.on('networkError', (error) => console.error(String(error)));
server.listen(port);
