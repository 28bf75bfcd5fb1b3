"""Localizing recorded images: from a folder, video or bag to pose files, bags and overlay videos."""
