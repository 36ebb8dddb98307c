"""Run by the interpreter that is looked at (Python 3.6 or newer, ``-I``): prints one JSON object about itself."""

import json
import os
import sys


def main() -> None:
    """Print what is known line by line, the surest first."""
    facts = {
        "version": ".".join(str(part) for part in sys.version_info[:3]),
        "implementation": sys.implementation.name,
        "executable": sys.executable,
        "prefix": sys.prefix,
        "base_prefix": sys.base_prefix,
    }
    if sys.version_info[3] != "final":
        facts["version"] += {"alpha": "a", "beta": "b", "candidate": "rc"}[sys.version_info[3]] + str(
            sys.version_info[4]
        )
    print(json.dumps(facts), flush=True)
    import sysconfig

    build = {
        "platform": sysconfig.get_platform(),
        "soabi": sysconfig.get_config_var("SOABI"),
        "free_threaded": bool(sysconfig.get_config_var("Py_GIL_DISABLED")),
    }
    print(json.dumps(build), flush=True)
    import site

    # In isolated mode the user's directory is left out; whether it counts otherwise is said apart.
    found: "dict[str, object]" = {"paths": list(site.getsitepackages()), "system_site": True}
    if sys.prefix != sys.base_prefix:
        settings = os.path.join(sys.prefix, "pyvenv.cfg")
        try:
            # A FIFO of that name would never answer.
            with open(
                settings if os.path.isfile(settings) else os.devnull, encoding="utf-8", errors="replace"
            ) as stream:
                setting = [
                    line.partition("=")[2].strip().lower()
                    for line in stream
                    if line.lower().startswith("include-system")
                ]
            found["system_site"] = setting[:1] == ["true"]
        except OSError:
            pass
    try:
        found["user"] = site.getusersitepackages()
    except Exception:  # no home directory
        found["user"] = None
    print(json.dumps(found), flush=True)


main()
