import pytest
import report_workspace as made

from reloc_ros.offline.workspace import Workspace


@pytest.fixture
def workspace(tmp_path) -> Workspace:
    return made.make_workspace(tmp_path)


@pytest.fixture
def evaluated(workspace) -> Workspace:
    made.advance(workspace, "evaluated")
    return workspace
