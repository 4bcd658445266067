"""The doors of Habeas: command line, HTTP and console; and the real servers of `habeas dev`."""
