"""``trtdoctor plan fetch``: every file of a plan in a folder, for an installation without network."""
