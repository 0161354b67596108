"""How fast a run trains: tokens per second, and the share of the GPU's peak that goes into the model."""

# Dense peak in bf16/fp16 with fp32 accumulation, FLOP/s, from the makers' data sheets; by words of the device's name.
PEAK_FLOPS = {"H100": 989e12, "H100 PCIe": 756e12, "H100 NVL": 835e12, "H200": 989e12, "H200 NVL": 835e12,
              "A100": 312e12, "L4": 121e12, "L40S": 362e12, "4090": 165e12}  # fmt: skip


def speed(log: dict, model, device: str, processes: int) -> dict:
    """Seconds, tokens per second of all processes, model FLOPs utilisation, peak memory of this one.

    Null where the device's peak is not known, as on a CPU.
    """
    import torch

    rate = log["tokens"] / log["seconds"]
    return {
        "train_seconds": log["seconds"],
        "tokens_per_second": rate,
        "mfu": flops_utilisation(model, rate, device, processes),
        "peak_memory_gib": torch.cuda.max_memory_allocated() / 2**30 if device == "cuda" else None,
    }


def flops_utilisation(model, tokens_per_second: float, device: str, processes: int) -> float | None:
    """Share of the GPUs' peak that goes into 6 FLOPs per parameter and token; None where the peak is not known."""
    peak = gpu_peak(device)
    parameters = sum(parameter.numel() for parameter in model.parameters()) if peak else 0
    return 6 * parameters * tokens_per_second / (peak * processes) if peak else None


def gpu_peak(device: str) -> float | None:
    """The peak of the GPU at hand, FLOP/s; None on a CPU, and where it is not known."""
    import torch

    return peak_flops(torch.cuda.get_device_name()) if device == "cuda" else None


def peak_flops(device_name: str) -> float | None:
    """The peak of a GPU by its full name, such as "NVIDIA H100 80GB HBM3"; None where it is not in the table."""
    words = set(device_name.replace("-", " ").split())
    known = [gpu for gpu in PEAK_FLOPS if words.issuperset(gpu.split())]
    return PEAK_FLOPS[max(known, key=len)] if known else None
