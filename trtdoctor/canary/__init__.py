"""The canary: a small engine that is really built and run, in a guarded child process. The parent loads no library."""
