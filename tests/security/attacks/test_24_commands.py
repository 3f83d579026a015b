"""Values that would be commands, formats or terminal control: nothing here takes them for such."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import isocenter as package
from isocenter.encoding.elements import RawElement
from tests.security.attacks.under_attack import attack
from tests.server.support import STORE, Peer
from tests.server.support_instances import PATIENT_ID, PATIENT_NAME, instance
from tests.support.node import Node, isocenter

pytestmark = attack(24, "command injection")

COMMANDS = [
    "$(touch {evil})", "`touch {evil}`", "; touch {evil}", "| touch {evil}", "\n touch {evil}",
    "&& touch {evil} #", "%n%n%s%s", "{0.__class__.__mro__}", "${jndi:ldap://127.0.0.1/x}",
    "__import__('os').system('touch {evil}')", "{{7*7}}", "!!python/object/apply:os.system [ls]",
]  # fmt: skip


def as_it_is(text: str, evil: Path) -> str:
    return text.replace("{evil}", str(evil))


def test_nothing_that_is_stored_or_asked_for_is_run(node: Node, ledger, tmp_path: Path):
    evil = tmp_path / "evil"
    with Peer.associated(node.port, STORE) as peer:
        for command in COMMANDS:
            value = as_it_is(command, evil).encode()
            changed = {
                PATIENT_NAME: RawElement("PN", value),
                PATIENT_ID: RawElement("LO", value),
                0x00081030: RawElement("LO", value),
            }
            ledger.keep(peer, instance(ledger.uid(), study="1.2.3.24", changed=changed))
    for command in COMMANDS[:3]:
        key = as_it_is(command, evil)
        done = isocenter("find", node.address, "-k", f"PatientName={key}", "-k", "StudyDescription")
        assert "Traceback" not in done.stdout
    assert list(tmp_path.iterdir()) == []


CONTROL = {
    "a title": "\x1b]0;evil\x07",
    "a colour": "\x1b[31mred\x1b[0m",
    "the cursor": "\x1b[2J\x1b[H",
    "C1": "\u009b31m",
    "right to left": "\u202etxt.exe",
    "nothing to see": "\u200b\u2060\ufeff",
    "markup": "[link=file:///etc/passwd]click[/link]",
    "a new line": "DOE\r\n127.0.0.1 evil",
}


def test_no_name_moves_the_cursor_of_who_looks_at_it(node: Node, ledger):
    studies = [f"1.2.3.25.{number}" for number in range(len(CONTROL))]
    with Peer.associated(node.port, STORE) as peer:
        for study, control in zip(studies, CONTROL.values(), strict=True):
            changed = {
                0x00080005: RawElement("CS", b"ISO_IR 192"),
                PATIENT_NAME: RawElement("PN", f"X{control}".encode()),
            }
            ledger.keep(peer, instance(ledger.uid(), study=study, changed=changed))
    key = ["-k", "StudyInstanceUID=" + "\\".join(studies), "-k", "PatientName"]
    done = isocenter("find", node.address, *key)
    assert done.returncode == 0, done.stdout
    assert re.sub(r"[\n\x20-\x7e]", "", done.stdout) == ""
    shown = [line for line in done.stdout.splitlines() if "1.2.3.25." in line]
    assert len(shown) == len(CONTROL)


# The sources

RUNNERS = {
    "os.system", "os.popen", "subprocess.getoutput", "subprocess.getstatusoutput", "eval", "exec",
    "pickle.loads", "pickle.load", "marshal.loads", "yaml.load", "shelve.open", "compile",
}  # fmt: skip


def calls(path: Path) -> Iterator[tuple[str, ast.Call]]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), node


def test_no_source_hands_text_to_a_shell_or_an_interpreter():
    for path in sorted(Path(package.__file__).parent.rglob("*.py")):
        for name, call in calls(path):
            assert name not in RUNNERS, f"{path.name}:{call.lineno}"
            shell = [word for word in call.keywords if word.arg == "shell"]
            assert not shell, f"{path.name}:{call.lineno}"
