"""What services say to each other. Imports nothing of ours; every service imports only this of the others."""
