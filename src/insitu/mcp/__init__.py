"""The workspace as a server of the Model Context Protocol: parse, call, render."""
