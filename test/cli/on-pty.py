"""Runs a command on a pseudo-terminal: on-pty.py COLUMNS ROWS COMMAND... Standard input takes lines of JSON, {"type": TEXT} and
{"size": [COLUMNS, ROWS]}; standard output gives {"out": BASE64}, {"size": ...} where the change took place, and {"ended": STATUS}."""
import base64, fcntl, json, os, pty, select, struct, sys, termios


def say(**line):
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


def resize(terminal, columns, rows):
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


columns, rows, *command = sys.argv[1:]
here, there = os.pipe()
child, terminal = pty.fork()
if child == 0:
    # Not before the terminal has its size.
    os.close(there)
    os.read(here, 1)
    os.execvp(command[0], command)
os.close(here)
resize(terminal, int(columns), int(rows))
os.close(there)
typed = b""
inputs = [terminal, 0]
while terminal in inputs:
    ready, _, _ = select.select(inputs, [], [])
    if terminal in ready:
        try:
            data = os.read(terminal, 65536)
        except OSError:
            data = b""
        if data:
            say(out=base64.b64encode(data).decode())
            continue
        inputs.remove(terminal)
    elif 0 in ready:
        data = os.read(0, 65536)
        if not data:
            os.kill(child, 9)
            inputs.remove(0)
        *lines, typed = (typed + data).split(b"\n")
        for line in lines:
            wanted = json.loads(line)
            if "type" in wanted:
                os.write(terminal, wanted["type"].encode())
            if "size" in wanted:
                resize(terminal, *wanted["size"])
                say(size=wanted["size"])
_, status = os.waitpid(child, 0)
say(ended=os.waitstatus_to_exitcode(status))
