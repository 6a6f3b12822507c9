"""The losses of class-wise backdoor prompt tuning (Kong et al. 2025, arXiv:2502.19269) in PyTorch, as the paper has
them: logits [B, C]; features, images' [B, D] and texts' [C, D], are normalised."""
import torch
from torch.nn import functional as F


def trigger_contrast(feature, positive, negative, temperature):
    pairs = torch.stack([(feature * positive).sum(1), (feature * negative).sum(1)], 1) / temperature
    return F.cross_entropy(pairs, torch.zeros(len(pairs), dtype=torch.long), reduction="sum")


def unlearning(dummy, suspects):
    """-mean log(1 - p(suspect)), as a difference of two logarithms because 1 - p vanishes in float32."""
    others = dummy.masked_fill(suspects > 0, -torch.inf)
    return (dummy.logsumexp(1) - others.logsumexp(1)).mean()


def alignment(clean, dummy, labels):
    clean = clean.detach()
    confidence = (clean.softmax(1) * labels).sum(1)
    divergence = F.kl_div(dummy.log_softmax(1), clean.log_softmax(1), reduction="none", log_target=True).sum(1)
    return (confidence * divergence).mean()


def weighted_entropy(logits, targets):
    return -(targets * logits.log_softmax(1)).sum(1).mean()


def drift(text, undefended, anchors):
    return (anchors * (1 - (text * undefended).sum(1))).mean()
