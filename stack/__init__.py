"""The one-command local stack: embedded servers, the supervisor and the command line. Imports no app and no Django."""
