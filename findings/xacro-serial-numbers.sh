#!/usr/bin/env bash
# Guess: <xacro:property name="serial" value="012345"/> and serial="${serial}" give back the same characters.
# Instead: what looks like a number becomes one: the zero in front goes, 1.50 becomes 1.5, 12e45 becomes 1.2e+46; quotes
# inside the value do not help.
# Bites: a camera's serial number or firmware version handed to its driver: "device not found".
# Do: put a letter or an underscore in front and write ${serial[1:]}.
set -euo pipefail
T=$(mktemp -d); trap 'rm -rf "$T"' EXIT; cd "$T"
python3 -m venv v; v/bin/pip install -qq xacro==2.1.1
v/bin/python - << 'END'
from importlib.metadata import version
import re, sys, xacro

def echo(value, use="${serial}"):
    with open("robot.xacro", "w") as file:
        file.write('<robot xmlns:xacro="http://www.ros.org/wiki/xacro" name="r"><xacro:property name="serial" '
            f'value="{value}"/><camera serial="{use}"/></robot>')
    return re.search('serial="([^"]*)"/>', xacro.process_file("robot.xacro").toxml()).group(1)

seen = [echo(value) for value in ("012345", "1.50", "12e45", "'1.50'")] + [echo("_012345", "${serial[1:]}")]
print("xacro", version("xacro"), "| guessed: 012345 1.50 12e45 1.50 | seen:", *seen[:4], "| with an underscore, cut off:", seen[4])
if seen != ["12345", "1.5", "1.2e+46", "1.5", "012345"]: sys.exit("changed: numbers in properties are treated differently now")
END
