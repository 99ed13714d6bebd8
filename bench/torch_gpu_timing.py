"""How PyTorch is timed on a GPU: by events, in CUDA graphs where that is asked for."""

import statistics
import time
from collections.abc import Callable, Sequence

import torch

Step = Callable[[], object]


class Timer:
    def __init__(self, device: str) -> None:
        self.on_gpu = device == "cuda"
        self.device = device

    def seconds(self, work: Step) -> float:
        """Of the GPU; on the CPU, wall time."""
        if not self.on_gpu:
            start = time.perf_counter()
            work()
            return time.perf_counter() - start
        start, stop = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        start.record()
        work()
        stop.record()
        stop.synchronize()
        return start.elapsed_time(stop) * 1e-3

    def steps(self, step: Step, warmup: int, count: int) -> list[float]:
        """Wall time of each step, with everything that the CPU does for it."""
        for _ in range(warmup):
            step()
        seconds = []
        for _ in range(count):
            if self.on_gpu:
                torch.cuda.synchronize()
            start = time.perf_counter()
            step()
            if self.on_gpu:
                torch.cuda.synchronize()
            seconds.append(time.perf_counter() - start)
        return seconds

    def op_seconds(self, steps: Sequence[Step], as_graph: bool) -> float:
        """Of one run, taken in turn on copies of the operands that exceed the caches together."""
        runs = 20

        def run_all() -> None:
            for i in range(runs):
                steps[i % len(steps)]()

        work = captured(run_all) if as_graph else run_all
        self.seconds(work)
        once = self.seconds(work)
        repeats = max(1, min(200, int(0.02 / once)))
        samples = [
            self.seconds(lambda: [work() for _ in range(repeats)]) / repeats / runs
            for _ in range(3)
        ]
        return statistics.median(samples)


def captured(work: Step) -> Step:
    """The work as a CUDA graph. It is run a few times first, on the stream that records it."""
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(3):
            work()
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph, stream=stream):
        work()
    return graph.replay
