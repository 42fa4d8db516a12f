"""Mutants of the solutions that are no mistakes: what they change makes no difference to what a lab asks for.

For each lab and solution cell: the change, as `benchmarks/mutants.py` prints it, and why it may pass.
"""

_ON_A_GPU = "only where the input is on a GPU is there a difference"
_SAME_AXES = "two axes swapped are the same two axes, whichever is named first"
_LAST_AXIS = "the last of two axes is axis 1"
_TASTE = "a matter of taste: which colours, and how the labels lean"
_MORE_THAN_ASKED = "the lab doesn't ask for weights that learn, or that are on a GPU"

EQUIVALENT: dict[tuple[str, str], dict[str, str]] = {
    ("lab01_masked_softmax", "length_mask"): {
        "line 4: torch.arange(max_len, device=valid_lens.device)  →  torch.arange(max_len)": _ON_A_GPU,
    },
    ("lab01_masked_softmax", "masked_softmax"): {
        "line 7: torch.arange(scores.shape[-1], device=scores.device)  →  torch.arange(scores.shape[-1])": _ON_A_GPU,
        "line 10: scores.masked_fill(~keep, -torch.inf).masked_fill(empty, 0.0)  →  "
        "scores.masked_fill(~keep, -torch.inf)": "the last fill hides the NaN, and the first one its gradient",
        "line 10: 0.0  →  1.0": "an empty row needs some finite number; which one doesn't matter",
        "line 8: 0  →  -1": "a length below 0 doesn't occur",
    },
    ("lab01_masked_softmax", "breaking_input"): {
        "line 5: 1.0  →  3.0": "other scores break the versions as well",
        "line 5: 2.0  →  5.0": "other scores break the versions as well",
        "line 5: 3.0  →  7.0": "other scores break the versions as well",
    },
    ("lab01_masked_softmax", "masked_mean"): {
        "line 4: torch.arange(values.shape[1], device=values.device)  →  torch.arange(values.shape[1])": _ON_A_GPU,
        "line 6: valid_lens.clamp(min=1).unsqueeze(1).to(values.dtype)  →  valid_lens.clamp(min=1).unsqueeze(1)": (
            "a division by whole numbers keeps the type of what is divided"
        ),
    },
    ("lab02_scaled_dot_product", "dot_product_scores"): {
        "line 4: keys.transpose(1, 2)  →  keys.transpose(2, 1)": _SAME_AXES,
    },
    ("lab02_scaled_dot_product", "gradient_norms"): {
        "line 10: weights.diag_embed() - weights.unsqueeze(2) * weights.unsqueeze(1)  →  "
        "weights.unsqueeze(2) * weights.unsqueeze(1) - weights.diag_embed()": "−J has the norm of J",
        "line 9: -1  →  1": _LAST_AXIS,
    },
    ("lab02_scaled_dot_product", "scaled_dot_product_attention"): {
        "line 6: keys.transpose(1, 2)  →  keys.transpose(2, 1)": _SAME_AXES,
        "line 9: torch.arange(keys.shape[1], device=keys.device)  →  torch.arange(keys.shape[1])": _ON_A_GPU,
    },
    ("lab03_attention_scores", "BilinearScore"): {
        "line 12: self.W(keys).transpose(1, 2)  →  self.W(keys).transpose(2, 1)": _SAME_AXES,
    },
    ("lab03_attention_scores", "AttentionPooling"): {
        "line 16: torch.arange(scores.shape[-1], device=scores.device)  →  torch.arange(scores.shape[-1])": _ON_A_GPU,
    },
    ("lab03_attention_scores", "kernel_regression"): {
        "line 4: x_query.unsqueeze(1) - x_train  →  x_train - x_query.unsqueeze(1)": "the distance is squared",
        "line 5: -1  →  1": _LAST_AXIS,
    },
    ("lab04_seq2seq", "sequence_cross_entropy"): {
        "line 4: logits.transpose(1, 2)  →  logits.transpose(2, 1)": _SAME_AXES,
        "line 5: torch.arange(targets.shape[1], device=targets.device)  →  torch.arange(targets.shape[1])": _ON_A_GPU,
    },
    ("lab05_seq2seq_attention", "Seq2SeqAttention"): {
        "line 27: torch.arange(scores.shape[1], device=scores.device)  →  torch.arange(scores.shape[1])": _ON_A_GPU,
        "line 49: -1  →  1": _LAST_AXIS,
        "line 49: 1  →  0": "the first step is the last: there is one",
    },
    ("lab05_seq2seq_attention", "LuongDecoder"): {
        "line 19: self.W_a(encoder_out).transpose(1, 2)  →  self.W_a(encoder_out).transpose(2, 1)": _SAME_AXES,
        "line 21: torch.arange(scores.shape[2], device=scores.device)  →  torch.arange(scores.shape[2])": _ON_A_GPU,
    },
    ("lab07_alignment_heatmaps", "plot_attention"): {
        "line 6: ax.imshow(weights.detach().cpu().numpy(), cmap='Blues', vmin=0.0, vmax=1.0)  →  "
        "ax.imshow(weights.detach().cpu().numpy(), vmin=0.0, vmax=1.0)": _TASTE,
        "line 7: ax.set_xticks(range(len(source_tokens)), labels=source_tokens, rotation=45, ha='right', ro  →  "
        "ax.set_xticks(range(len(source_tokens)), labels=source_tokens, ha='right', rotation_mode='": _TASTE,
        "line 7: ax.set_xticks(range(len(source_tokens)), labels=source_tokens, rotation=45, ha='right', ro  →  "
        "ax.set_xticks(range(len(source_tokens)), labels=source_tokens, rotation=45, rotation_mode=": _TASTE,
        "line 7: ax.set_xticks(range(len(source_tokens)), labels=source_tokens, rotation=45, ha='right', ro  →  "
        "ax.set_xticks(range(len(source_tokens)), labels=source_tokens, rotation=45, ha='right')": _TASTE,
        "line 6: weights.detach().cpu()  →  weights.detach()": _MORE_THAN_ASKED,
        "line 7: 45  →  46": _TASTE,
        "line 7: 45  →  44": _TASTE,
        "line 6: weights.detach()  →  weights": _MORE_THAN_ASKED,
    },
    ("lab07_alignment_heatmaps", "hard_alignment"): {
        "line 5: -1  →  1": _LAST_AXIS,
    },
    ("lab07_alignment_heatmaps", "alignment_error_rate"): {
        "line 7: 0  →  -1": "the message names another of the links that are wrong",
    },
    ("lab07_alignment_heatmaps", "ablate_source"): {
        "line 7: -1  →  1": _LAST_AXIS,
        "line 9: -1  →  1": _LAST_AXIS,
    },
    ("lab06_translation", "BahdanauDecoder"): {
        "line 16: state.transpose(0, 1)  →  state.transpose(1, 0)": _SAME_AXES,
        "line 17: torch.arange(encoder_out.shape[1], device=encoder_out.device)  →  "
        "torch.arange(encoder_out.shape[1])": _ON_A_GPU,
    },
    ("lab08_multi_head_attention", "split_heads"): {
        "line 7: x.reshape(batch, length, num_heads, dim // num_heads).transpose(1, 2)  →  "
        "x.reshape(batch, length, num_heads, dim // num_heads).transpose(2, 1)": _SAME_AXES,
        "line 14: x.transpose(1, 2)  →  x.transpose(2, 1)": _SAME_AXES,
    },
    ("lab09_language_model", "cached_attention"): {
        "line 10: torch.ones(new, total, dtype=torch.bool, device=queries.device)  →  "
        "torch.ones(new, total, dtype=torch.bool)": _ON_A_GPU,
    },
    ("lab09_language_model", "sample_next"): {
        "line 12: -1  →  1": _LAST_AXIS,
        "line 13: -1  →  1": _LAST_AXIS,
        "line 14: -1  →  1": _LAST_AXIS,
    },
    ("lab09_language_model", "generate"): {
        "line 8: 0  →  -1": "the first text is the last: there is one",
    },
    ("lab10_long_contexts", "rotate"): {
        "line 7: torch.arange(0, dim, 2, device=x.device, dtype=torch.float32)  →  "
        "torch.arange(0, dim, 2, dtype=torch.float32)": _ON_A_GPU,
        "line 7: torch.arange(0, dim, 2, device=x.device, dtype=torch.float32)  →  "
        "torch.arange(0, dim, 2, device=x.device)": "whole numbers that are divided become float32",
    },
    ("lab10_long_contexts", "online_step"): {
        "line 4: scores.detach()  →  scores": "the output doesn't depend on the maximum: no gradient comes through it",
        "line 6: torch.maximum(state[0], maximum)  →  torch.maximum(maximum, state[0])": (
            "the larger of two is the larger one, whichever is named first"
        ),
        "line 7: 0.0  →  1.0": "a row of −∞ needs some finite number; which one doesn't matter",
        "line 16: 1.0  →  3.0": "where the total is 0 the sum of values is, too: 0 divided by anything",
    },
}
