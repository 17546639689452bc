"""A mail server (SMTP) as a process of its own: keeps what it takes in a file, and fails as another file says.

`python -m tests.support.mail_server PORT FOLDER`. FOLDER/faults holds words: `busy` (421 at once), `later` (451 to the
mail), `unknown` (550 to the recipient), `hang-up` (closes after the mail was sent, without an answer); each mail is a
line of JSON in FOLDER/mails.
"""

import asyncio
import email
import email.policy
import json
import sys
from pathlib import Path


async def serve(port: int, folder: Path) -> None:
    """Serve for ever."""

    def faults() -> set[str]:
        path = folder / "faults"
        return set(path.read_text().split()) if path.exists() else set()

    async def session(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        def answer(text: str) -> None:
            writer.write(f"{text}\r\n".encode())

        found = faults()
        to = ""
        answer("421 busy" if "busy" in found else "220 ready")
        while "busy" not in found and (line := await reader.readline()):
            word = line.decode("latin-1").strip()
            if word.upper().startswith(("EHLO", "HELO")):
                answer("250 mail.example")
            elif word.upper().startswith("RCPT"):
                to = word.partition("<")[2].partition(">")[0]
                answer("550 no such user" if "unknown" in found else "250 ok")
            elif word.upper() == "DATA":
                answer("354 go on")
                content = await reader.readuntil(b"\r\n.\r\n")
                if "hang-up" in found:
                    break
                if "later" in found:
                    answer("451 later")
                    continue
                parsed = email.message_from_bytes(content[:-3], policy=email.policy.default)
                mail = {"to": to, "subject": parsed["subject"], "from": parsed["from"], "text": parsed.get_content()}
                with (folder / "mails").open("a") as file:
                    file.write(json.dumps(mail) + "\n")
                answer("250 taken")
            elif word.upper() == "QUIT":
                answer("221 bye")
                break
            else:
                answer("250 ok")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(session, "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), Path(sys.argv[2])))
