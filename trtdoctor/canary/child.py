"""Build, run and compare one small engine with the TensorRT of this interpreter; told line by line as it happens.

Usage: ``python -I child.py REQUEST.json``. Runs in a process of its own (TensorRT may crash, hang or eat all memory);
standard library only, Python 3.6 syntax. The answer goes to the file descriptor ``answer_fd`` of the request, one
JSON object a line, each written at once, so that what was learnt before a crash is not lost:

    {"stage": NAME, "status": "started" | "passed" | "failed" | "skipped", "seconds": S, "detail": TEXT | null}
    {"log": {"severity": NAME, "text": TEXT}}      each message of TensorRT's logger
    {"fact": {...}}                                merged by the reader, the later value wins
    {"done": true}                                 the last line

Stages: import, builder, network (or parse, for a model of the user's), configuration, build, serialize, header,
deserialize, context, run, compare. After one that failed the rest is skipped. One path serves TensorRT 8.5 to 11 and
TensorRT for RTX: it asks what the module offers, by name (enumerations were renumbered in 10.0 and 11.0).

Request, all but the first two optional: ``module`` (what to import), ``answer_fd``, ``modules`` (pairs of product and
module: the first that is there instead), ``product`` (tensorrt,
tensorrt-rtx), ``paths`` (directories to import from that isolated mode leaves out), ``stage`` (build: stop before the
engine is loaded; run), ``device`` (CUDA's number), ``precision`` (none: fp32,
but for the compute capabilities of ``no_fp32`` {product: […]} fp16), ``onnx`` (path; none: the built-in network),
``batch``, ``shapes`` {input: [min, opt, max]}, ``workspace`` (bytes), ``plan`` (path to write the engine to),
``tolerance`` (with ``onnx``: compare with onnxruntime, if it is installed), ``compute_capabilities`` (TensorRT for
RTX: what to build for; none: the GPU that is there).
"""

import importlib
import importlib.util
import json
import os
import sys
import time
from typing import TYPE_CHECKING, Any, Callable, Dict, List, Optional, Sequence, Tuple

if TYPE_CHECKING:
    from trtdoctor.canary import child_answer, child_cuda, child_model, child_onnx, child_values
else:

    def _sibling(name):
        """A file beside this one, by path: with -I no directory is searched, and a name could be shadowed."""
        path = os.path.join(os.path.dirname(os.path.abspath(__file__)), name + ".py")
        spec = importlib.util.spec_from_file_location("_trtdoctor_" + name, path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    child_answer, child_cuda, child_model, child_onnx, child_values = (
        _sibling("child_" + name) for name in ("answer", "cuda", "model", "onnx", "values")
    )

FLAGS = {"fp16": "FP16", "bf16": "BF16", "int8": "INT8", "fp8": "FP8"}
"""Names in BuilderFlag, up to TensorRT 10; in 11 and in TensorRT for RTX the network's types decide."""


class Told(Exception):
    """A stage failed; what TensorRT's logger heard explains it."""


class Complete(Told):
    """A stage failed, and the message says all there is to say."""


class Unfit(Complete):
    """What was asked for is at fault, not this machine: the model, a shape, a precision, a number of a GPU."""


class Skipped(Exception):
    """A stage has nothing to do; the message says why."""


def _named(thing: Any, name: str) -> Any:
    """What this release offers under a name that others lack; None when it is not there."""
    return getattr(thing, name, None)


def _call(thing: Any, name: str) -> str:
    """What a method answers that some releases lack; empty where it is not there."""
    method = _named(thing, name)
    return str(method() or "") if method else ""


def _member(value: Any) -> str:
    """Name of an enumeration's member, ``INTERNAL_ERROR``, also where only its text says it."""
    return str(getattr(value, "name", value)).rpartition(".")[2]


class Child:
    """One canary: what the stages hand to each other."""

    def __init__(self, request: Dict[str, Any], answer: child_answer.Answer) -> None:
        self.request = request
        self.answer = answer
        self.words = child_answer.Words(answer)
        self.precision = request.get("precision") or "fp32"
        self.model_path = request.get("onnx")
        self.batch = request.get("batch")
        # None until its stage has passed; of a module that is only known at run time.
        self.trt: Any = None
        self.logger: Any = None
        self.builder: Any = None
        self.network: Any = None
        self.parser: Any = None
        self.config: Any = None
        self.plan: Any = None
        self.runtime: Any = None
        self.engine: Any = None
        self.context: Any = None
        self.cuda: Optional[child_cuda.Cuda] = None
        self.no_cuda: Optional[Exception] = None
        self.model: Optional[child_onnx.Model] = None
        self.shapes: Dict[str, Tuple[Tuple[int, ...], ...]] = {}
        self.runs: List[child_values.Run] = []

    def live(self) -> None:
        """Go through all stages."""
        stages: Sequence[Tuple[str, Callable[[], Optional[str]]]] = (
            ("import", self.load),
            ("builder", self.make_builder),
            ("parse", self.parse_model) if self.model_path else ("network", self.make_network),
            ("configuration", self.configure),
            ("build", self.build),
            ("serialize", self.serialize),
            ("header", self.read_header),
            ("deserialize", self.deserialize),
            ("context", self.make_context),
            ("run", self.run),
            ("compare", self.compare),
        )
        failed: Optional[str] = None
        for name, action in stages:
            if failed:
                self.answer.say(stage=name, status="skipped", seconds=0.0, detail="%s failed" % failed)
            elif not self._stage(name, action):
                failed = name
        if self.answer.dropped:
            self.answer.say(fact={"log_dropped": self.answer.dropped})

    def _stage(self, name: str, action: Callable[[], Optional[str]]) -> bool:
        """Run one stage and say how it went; whether the next one makes sense."""
        self.answer.say(stage=name, status="started")
        self.words.begin()
        begin = time.monotonic()
        detail: Optional[str] = None
        status = "passed"
        try:
            detail = action()
        except Skipped as error:
            status, detail = "skipped", str(error)
        except (Exception, SystemExit) as error:
            status, detail = "failed", self._failure(error)
        seconds = round(time.monotonic() - begin, 6)
        if status == "failed" or (status == "passed" and name in ("import", "build", "run")):
            self.answer.say(fact={"libraries": child_answer.mapped_libraries()})
        self.answer.say(stage=name, status=status, seconds=seconds, detail=child_answer.cut(detail))
        return status != "failed"

    def _failure(self, error: BaseException) -> str:
        """What is told of a failure: our own clear words, or the exception; then what the logger heard."""
        if isinstance(error, MemoryError):
            self.answer.say(fact={"oom": "host"})
        if isinstance(error, child_cuda.CudaError) and error.name == child_cuda.OUT_OF_MEMORY:
            self.answer.say(fact={"oom": "device"})
        if isinstance(error, Unfit) or (
            isinstance(error, child_cuda.CudaError) and error.name == child_cuda.NO_SUCH_DEVICE
        ):
            self.answer.say(fact={"unfit": True})
        if isinstance(error, Complete):
            return str(error)
        clear = isinstance(error, (Told, child_cuda.CudaError, child_cuda.NoGpu))
        own = str(error) if clear else ": ".join(filter(None, (type(error).__name__, str(error))))
        heard = self.words.explanation()
        return "%s: %s" % (own, heard) if heard else own

    # -- the stages, in order; each returns a detail worth telling, or None --------------------------------------------

    def load(self) -> Optional[str]:
        """Import the module; its version is a fact."""
        for path in self.request.get("paths") or []:
            # Where the module was found: PYTHONPATH and the user's directory do not count in isolated mode.
            if path not in sys.path:
                own = [
                    index for index, item in enumerate(sys.path) if item.endswith(("site-packages", "dist-packages"))
                ]
                sys.path.insert(own[0] if own else len(sys.path), path)
        self.answer.say(fact={"python": ".".join(map(str, sys.version_info[:3]))})
        self._choose()
        module = self.request["module"]
        trt = self.trt = importlib.import_module(module)
        version = _named(trt, "__version__")
        product = self.request.get("product")
        self.answer.say(fact={"version": version and str(version)[:100], "product": product, "module": module})
        return None

    def _choose(self) -> None:
        """Take the first of the modules that is there, where several would do."""
        for product, module in self.request.get("modules") or []:
            spec = importlib.util.find_spec(module)
            if spec is not None and spec.origin:  # a directory without a module in it has none
                self.request["product"], self.request["module"] = product, module
                return

    def make_builder(self) -> Optional[str]:
        """Make the context of the GPU current, where there is one, then logger and builder."""
        trt = self.trt
        if _named(trt, "Builder") is None:
            if _named(trt, "Runtime") is None:
                raise Complete("%s is no TensorRT: it has neither a builder nor a runtime" % self.request["module"])
            raise Complete("%s can run engines, not build them: it has no builder" % self.request["module"])
        self.logger = _logger(trt, self.words)
        device = self.request.get("device") or 0
        try:
            cuda = self.cuda = child_cuda.Cuda(device)
        except (child_cuda.NoGpu, child_cuda.CudaError) as error:
            # The builder is asked all the same: some build without a GPU, the others say why not in their own words.
            if isinstance(error, child_cuda.CudaError) and error.name == child_cuda.NO_SUCH_DEVICE:
                raise
            self.no_cuda = error
            self.answer.say(fact={"device": device, "cuda_error": child_answer.cut(str(error))})
        else:
            self.answer.say(fact={"device": device, "gpu": cuda.name, "compute_capability": cuda.compute_capability})
        self.builder = trt.Builder(self.logger)
        return str(self.no_cuda) if self.no_cuda else None

    def _new_parser(self) -> Any:
        """An empty network and the ONNX parser that fills it."""
        trt = self.trt
        self._precision_flag()
        explicit = _named(_named(trt, "NetworkDefinitionCreationFlag"), "EXPLICIT_BATCH")
        network = self.network = self.builder.create_network(0 if explicit is None else 1 << int(explicit))
        if network is None:
            raise Told("no network was made")
        if _named(trt, "OnnxParser") is None:
            raise Told("this TensorRT has no ONNX parser, through which the network is given to it")
        parser = self.parser = trt.OnnxParser(network, self.logger)
        return parser

    def make_network(self) -> Optional[str]:
        """The built-in network, from ONNX bytes of our own."""
        why = self._choose_precision()
        parser = self._new_parser()
        form = self.precision if self._typed() or self.precision in child_model.LARGEST else "fp32"
        raw = child_model.onnx_bytes(child_onnx, form, None if self.batch else child_model.FIXED_BATCH)
        self.model = child_onnx.read_model(raw)
        if not parser.parse(raw):
            raise Told(self._parser_errors(parser))
        return "; ".join(filter(None, (self._tell_network(), why)))

    def _choose_precision(self) -> Optional[str]:
        """Where nobody said which: one that is known to exist for the GPUs that it is built for, and why."""
        lacking = (self.request.get("no_fp32") or {}).get(self.request.get("product")) or []
        targets = self.request.get("compute_capabilities") or [self.cuda.compute_capability if self.cuda else None]
        found = [target for target in targets if target in lacking]
        if self.request.get("precision") or not found:
            return None
        self.precision = "fp16"
        self.answer.say(fact={"precision": self.precision})
        return "in fp16: for compute capability %s there is no fp32 matrix product" % ", ".join(found)

    def parse_model(self) -> Optional[str]:
        """The user's model, from its file, so that weights beside it are found."""
        path = os.path.abspath(str(self.model_path))
        name = os.path.basename(path)
        try:
            model = self.model = child_onnx.read_file(path)
            lacking = child_onnx.missing_weights(model, os.path.dirname(path))
        except child_onnx.NotOnnx as error:
            raise Unfit("%s: %s" % (name, error))
        except OSError as error:
            raise Unfit("%s: cannot be read: %s" % (name, error.strerror or error))
        if lacking:
            raise Unfit("%s keeps weights in other files: %s" % (name, ", ".join(lacking[:10])))
        parser = self._new_parser()
        if not parser.parse_from_file(path):
            told = "%s: %s" % (name, self._parser_errors(parser))
            raise Unfit(told) if parser.num_errors else Told(told)
        return self._tell_network()

    def _parser_errors(self, parser: Any) -> str:
        """Every error with code, operator and name of its node; then opset and IR version, which may be the cause."""
        model = self.model or child_onnx.Model()
        told = []
        for index in range(min(parser.num_errors, 20)):
            problem = parser.get_error(index)
            place = problem.node()
            known = model.nodes[place] if 0 <= place < len(model.nodes) else child_onnx.Node("", "", "")
            name = _call(problem, "node_name") or known.name
            operator = _call(problem, "node_operator") or known.operator
            where = "node %d (%s %s): " % (place, operator, name) if operator or name else ""
            told.append("%s%s: %s" % (where, _member(problem.code()), problem.desc().strip()[:600]))
        numbers = ", ".join("%s %d" % (name or "ai.onnx", number) for name, number in sorted(model.opsets.items()))
        told.append("the model has opset %s and IR version %s" % (numbers or "unknown", model.ir_version))
        return "; ".join(told)

    def _tell_network(self) -> Optional[str]:
        """Layers and opset; where types are said by the network, the types."""
        network = self.network
        if network.num_outputs == 0:
            raise Told("the network has no output")
        if self._typed():
            used = set()
            for index in range(network.num_layers):
                layer = network.get_layer(index)
                for number in range(layer.num_outputs):
                    tensor = layer.get_output(number)
                    used.add(child_values.word(_member(tensor.dtype)))
            self.answer.say(fact={"precision_used": sorted(used & set(child_values.PRECISIONS))})
        return "%d layers, opset %s" % (network.num_layers, self.model and self.model.opset)

    def _typed(self) -> bool:
        """Whether the network's own types decide: there are no flags for precisions any more."""
        return _named(self.trt.BuilderFlag, "FP16") is None

    def _precision_flag(self) -> Any:
        """The builder flag that asks for the precision; None when none is needed. Raises :class:`Told`."""
        if self.precision == "fp32" or self._typed():
            return None
        flag = _named(self.trt.BuilderFlag, FLAGS[self.precision])
        if flag is None:
            raise Unfit("this TensorRT does not know %s" % self.precision)
        return flag

    def configure(self) -> Optional[str]:
        """Workspace, precision, shapes, and for TensorRT for RTX the GPUs to build for."""
        trt, network = self.trt, self.network
        config = self.config = self.builder.create_builder_config()
        workspace = self.request.get("workspace")
        if workspace:
            config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, workspace)
        flag = self._precision_flag()
        if flag is not None:
            config.set_flag(flag)
        if not self.model_path:
            # TF32 is on by default and rounds to 10 bits: the reference is meant for 32-bit floats.
            config.clear_flag(trt.BuilderFlag.TF32)
        if self.precision != "fp32" or not self.model_path:
            # So that the engine can say which precision its layers have.
            config.profiling_verbosity = trt.ProfilingVerbosity.DETAILED
        free = self._choose_shapes(network)
        if free:
            profile = self.builder.create_optimization_profile()
            for name in free:
                profile.set_shape(name, *self.shapes[name])
            if config.add_optimization_profile(profile) < 0:
                raise Told("the optimization profile was not accepted")
        self._target_gpus(trt, config)
        how = [] if flag is None else ["flag %s" % _member(flag)]
        how += [
            "%s %s" % (name, " to ".join(child_values.shown(shape) for shape in self.shapes[name])) for name in free
        ]
        return ", ".join(how) or None

    def _choose_shapes(self, network: Any) -> List[str]:
        """Smallest, usual and largest shape of each input; the names of those that have free dimensions."""
        asked = self.request.get("shapes") or {}
        tensors = [network.get_input(index) for index in range(network.num_inputs)]
        names = [tensor.name for tensor in tensors]
        for name in asked:
            if name not in names:
                raise Unfit("the model has no input %s: its inputs are %s" % (name, ", ".join(names[:20])))
        free = []
        for tensor in tensors:
            name, shape = tensor.name, tuple(tensor.shape)
            if tensor.is_shape_tensor:
                raise Unfit("input %s gives a shape, not data: that is not supported" % name)
            chosen = child_values.shapes(name, shape, self.batch, asked.get(name))
            if isinstance(chosen, str):
                raise Unfit(chosen)
            self.shapes[name] = chosen
            if -1 in shape:
                free.append(name)
        problem = child_values.batch_problem({tensor.name: tuple(tensor.shape) for tensor in tensors}, self.batch)
        if problem:
            raise Unfit(problem)
        return free

    def _target_gpus(self, trt: Any, config: Any) -> None:
        offered = _named(trt, "ComputeCapability")
        wanted = self.request.get("compute_capabilities") or []
        if not wanted and self.cuda and _named(offered, "SM" + self.cuda.compute_capability.replace(".", "")):
            wanted = [self.cuda.compute_capability]  # not every one that is served is among those built for unasked
        if not wanted:
            return
        if offered is None or _named(config, "set_compute_capability") is None:
            raise Unfit("only TensorRT for RTX builds for a compute capability that is named")
        config.num_compute_capabilities = len(wanted)
        for index, text in enumerate(wanted):
            target = _named(offered, "SM" + text.replace(".", ""))
            if target is None:
                raise Unfit("this TensorRT cannot be told to build for compute capability %s" % text)
            if not config.set_compute_capability(target, index):
                raise Told("compute capability %s was not accepted" % text)
        self.answer.say(fact={"compute_capabilities": list(wanted)})

    def build(self) -> Optional[str]:
        """Build the engine: None, not an exception, is TensorRT's way to say that it failed."""
        self.plan = self.builder.build_serialized_network(self.network, self.config)
        if self.plan is None:
            raise Told("no engine was built")
        return None

    def serialize(self) -> Optional[str]:
        """The engine's bytes, and its file: written under another name first, so that none is half there."""
        size = self.plan.nbytes
        if not size:
            raise Told("the engine is empty")
        path = self.request.get("plan")
        if path:
            try:
                with open(path + ".part", "wb") as stream:
                    stream.write(self.plan)
                os.rename(path + ".part", path)
            except OSError as error:  # a full disk is no fault of the engine's, which is there in memory
                self.request["plan"] = None
                self.answer.say(fact={"not_written": str(error.strerror or error)})
        self.answer.say(fact={"engine_bytes": size})
        return "%d bytes" % size

    def _plan_bytes(self, most: int = -1) -> bytes:
        """The engine as it stands in its file, if it was written to one."""
        path = self.request.get("plan")
        if not path:
            return bytes(self.plan) if most < 0 else bytes(memoryview(self.plan)[:most])
        with open(path, "rb") as stream:
            return stream.read(most)

    def read_header(self) -> Optional[str]:
        """Its first bytes, for the parent to judge."""
        path = self.request.get("plan")
        if path:
            size, written = self.plan.nbytes, os.path.getsize(path)
            if size != written:
                raise Complete("%d of %d bytes are in the file" % (written, size))
        first = bytearray(self._plan_bytes(64))
        self.answer.say(fact={"header": "".join("%02x" % byte for byte in first)})
        return None

    def _gpu(self) -> child_cuda.Cuda:
        """The GPU to run on. Raises :class:`Skipped` when none is wanted or there is none, else what CUDA said."""
        if self.request.get("stage") == "build":
            raise Skipped("not asked for")
        if isinstance(self.no_cuda, child_cuda.NoGpu):
            raise Skipped("no GPU: %s" % self.no_cuda)
        if self.no_cuda or not self.cuda:
            raise self.no_cuda or child_cuda.NoGpu("not asked")
        return self.cuda

    def deserialize(self) -> Optional[str]:
        """Load the engine, from the file where it was written to one."""
        self._gpu()
        runtime = self.runtime = self.trt.Runtime(self.logger)
        engine = self.engine = runtime.deserialize_cuda_engine(self._plan_bytes())
        if engine is None:
            raise Told("the engine was not accepted")
        try:
            inspector = engine.create_engine_inspector()
            told = inspector.get_engine_information(self.trt.LayerInformationFormat.JSON)
        except Exception:  # what it does not tell stays unknown
            return None
        used = child_values.precisions(told)
        if used:
            self.answer.say(fact={"precision_used": used})
        return "%d layers" % engine.num_layers

    def make_context(self) -> Optional[str]:
        """The execution context: activations are allocated, TensorRT for RTX compiles its kernels."""
        self._gpu()
        self.context = self.engine.create_execution_context()
        if self.context is None:
            raise Told("no execution context was made")
        return None

    def run(self) -> Optional[str]:
        """Run with the usual shapes, then with the smallest and the largest where they differ."""
        cuda = self._gpu()
        stream = cuda.stream()
        for which in (1, 0, 2):
            shapes = {name: several[which] for name, several in self.shapes.items()}
            if all(shapes != {name: item.shape for name, item in done.inputs.items()} for done in self.runs):
                self.runs.append(self._run_once(cuda, stream, shapes))
                cuda.free_all()
        return "%d runs" % len(self.runs) if len(self.runs) > 1 else None

    def _run_once(self, cuda: child_cuda.Cuda, stream: int, shapes: Dict[str, Tuple[int, ...]]) -> child_values.Run:
        trt, engine, context = self.trt, self.engine, self.context
        inputs: Dict[str, child_values.Numbers] = {}
        outputs: Dict[str, child_values.Numbers] = {}
        places: Dict[str, Tuple[str, int, int]] = {}
        names = [engine.get_tensor_name(index) for index in range(engine.num_io_tensors)]
        # All shapes of inputs first: those of outputs follow from them.
        for name in sorted(names, key=lambda name: engine.get_tensor_mode(name) != trt.TensorIOMode.INPUT):
            kind = _member(engine.get_tensor_dtype(name))
            if engine.get_tensor_mode(name) == trt.TensorIOMode.INPUT:
                shape = shapes[name]
                if not context.set_input_shape(name, shape):
                    raise Told("input %s: shape %s was not accepted" % (name, "x".join(map(str, shape))))
                raw = child_model.image_bytes(shape[0]) if not self.model_path else child_values.fill(kind, shape)
                inputs[name] = child_values.Numbers(kind, shape, raw)
                address = cuda.allocate(len(raw))
                cuda.upload(address, raw)
            else:
                shape = tuple(context.get_tensor_shape(name))
                size = context.get_max_output_size(name) if -1 in shape else child_values.size(kind, shape)
                address = cuda.allocate(size)
                places[name] = (kind, address, size)
                outputs[name] = child_values.Numbers(kind, shape, b"")
            if not context.set_tensor_address(name, address):
                raise Told("%s: the address was not accepted" % name)
        if not context.execute_async_v3(stream):
            raise Told("the run was not accepted")
        cuda.synchronize(stream)
        for name, (kind, address, size) in places.items():
            outputs[name] = child_values.Numbers(kind, outputs[name].shape, cuda.download(address, size))
        return child_values.Run(inputs, outputs)

    def compare(self) -> Optional[str]:
        """The result against one that was computed without TensorRT."""
        self._gpu()
        tolerance = self.request.get("tolerance")
        if self.model_path:
            if tolerance is None:
                raise Skipped(child_values.not_finite(self.runs[0].outputs) or "no reference for this model")
            error = child_values.against_onnxruntime(self.model_path, self.runs, child_model.difference)
            if isinstance(error, str):
                raise Skipped(error)
        else:
            tolerance = child_model.TOLERANCE[self.precision] if tolerance is None else tolerance
            error = max(
                child_model.difference(
                    child_values.decode(*done.outputs[child_model.OUTPUT]),
                    child_model.reference(done.inputs[child_model.INPUT].shape[0]),
                )
                for done in self.runs
            )
        finite = error < float("inf")
        self.answer.say(fact={"error": error if finite else None, "tolerance": tolerance})
        if not error <= tolerance:
            told = "%.3g of the largest value" % error if finite else "not finite"
            raise Complete("wrong numbers: the largest difference is %s, allowed is %.3g" % (told, tolerance))
        return "largest difference %.3g of the largest value, allowed %.3g" % (error, tolerance)


def _logger(trt: Any, words: child_answer.Words) -> Any:
    """A logger of TensorRT's kind that passes every message on."""

    class Logger(trt.ILogger):  # type: ignore[misc]
        def __init__(self) -> None:
            trt.ILogger.__init__(self)

        def log(self, severity: Any, msg: str) -> None:
            words.hear(_member(severity).lower().replace("_", "-"), msg)

    return Logger()


def main() -> None:
    """Read the request, live, say so; then end without the libraries' farewells, which may crash or hang."""
    with open(sys.argv[1], "rb") as stream:
        request = json.loads(stream.read().decode("utf-8"))
    answer = child_answer.Answer(request["answer_fd"])
    Child(request, answer).live()
    answer.say(done=True)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
