"""The node's services. They are there in every state, and say so where they cannot help."""

from __future__ import annotations

from collections.abc import Callable
from concurrent import futures

from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.lifecycle import LifecycleNode
from rclpy.task import Future
from std_srvs.srv import SetBool

from reloc_ros.errors import RelocError
from reloc_ros.ros.control.node_parameters import NodeParameters
from reloc_ros.ros.control.relocalize_requests import Answer
from reloc_ros.ros.loaded_map import LoadedMap
from reloc_ros.ros.session import Session
from reloc_ros.srv import LoadBundle, Relocalize

NOT_CONFIGURED = "the node is not configured: configure it first"


class Services:
    """`~/relocalize`, `~/load_bundle` and `~/set_pose_publishing`."""

    def __init__(
        self, node: LifecycleNode, session: Callable[[], Session | None], parameters: NodeParameters
    ) -> None:
        self._node, self._session, self._parameters = node, session, parameters
        # Images are localized in the present map meanwhile. It is one thread for all maps: of what a new one takes to
        # load a map, some is never given back.
        self._loader = futures.ThreadPoolExecutor(1, "load")
        self._loading: futures.Future[None] | None = None
        # An answer that waits must hold up neither images nor other requests.
        group = ReentrantCallbackGroup()
        node.create_service(Relocalize, "~/relocalize", self._relocalize, callback_group=group)
        node.create_service(LoadBundle, "~/load_bundle", self._load_bundle, callback_group=group)
        node.create_service(SetBool, "~/set_pose_publishing", self._set_pose_publishing)

    @property
    def is_loading(self) -> bool:
        return self._loading is not None and not self._loading.done()

    def close(self) -> None:
        """Let a map that is being loaded come to its end."""
        self._loader.shutdown()

    async def _relocalize(
        self, request: Relocalize.Request, response: Relocalize.Response
    ) -> Relocalize.Response:
        session = self._session()
        if session is None or not session.is_active:
            response.reason, response.detail = "not_active", "the node is not active: activate it first"
            return response
        answer: Answer = await session.relocalize(request.timeout_s)
        response.success = answer.pose is not None
        response.reason, response.detail, response.images = answer.reason, answer.detail, answer.images
        if answer.pose is not None:
            response.pose = answer.pose
        return response

    async def _load_bundle(
        self, request: LoadBundle.Request, response: LoadBundle.Response
    ) -> LoadBundle.Response:
        session = self._session()
        if session is None:
            response.message = f"{NOT_CONFIGURED}, or set its parameter bundle"
            return response
        try:
            loaded = await self._load(request.bundle)
            if session is not self._session():
                raise RelocError("the node was cleaned up while the bundle was being loaded")
            session.change_map(loaded)
            self._parameters.set_own("bundle", request.bundle)
            response.success, response.message = True, str(loaded)
        except RelocError as error:
            response.message = str(error)
        loaded = session.loaded
        response.landmarks = len(loaded.localizer.bundle.landmarks)
        response.scale_known, response.backend = loaded.is_metric, loaded.localizer.backend.name
        return response

    def _set_pose_publishing(self, request: SetBool.Request, response: SetBool.Response) -> SetBool.Response:
        session = self._session()
        if session is None:
            response.message = NOT_CONFIGURED
            return response
        session.set_publishing(request.data)
        response.success = True
        response.message = (
            f"poses and transforms are {'published' if request.data else 'withheld'} from now on"
        )
        return response

    def _load(self, bundle: str) -> Future:
        """A future whose result is the map, or whose exception says why there is none."""
        future = Future(executor=self._node.executor)
        if self.is_loading:
            future.set_exception(RelocError("another bundle is being loaded; ask again when that has ended"))
            return future
        given = self._parameters.current

        def load() -> None:
            try:
                future.set_result(LoadedMap.load(given, bundle))
            except RelocError as error:
                future.set_exception(error)
            except Exception as error:
                future.set_exception(RelocError(f"{type(error).__name__}: {error}"))
            if self._node.executor is not None:
                self._node.executor.wake()

        self._loading = self._loader.submit(load)
        return future
