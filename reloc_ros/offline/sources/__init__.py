"""Where images come from: videos, bags and folders of photographs, their intrinsics, and which frames to map."""
