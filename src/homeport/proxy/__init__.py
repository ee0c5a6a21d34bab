"""The door to apps: whoever comes to an app's address is let in or not, and joined with the app's port.

See README.md beside this file.
"""
