import StrictJSON
import Transformer

/// Sizes of a Qwen2 model without its weights.
package struct ModelShape: Sendable, Hashable {
  package var hidden: Int
  package var intermediate: Int
  package var heads: Int
  package var keyValueHeads: Int
  package var vocabulary: Int
  package var blocks: Int

  package init(hidden: Int, intermediate: Int, heads: Int, keyValueHeads: Int, vocabulary: Int, blocks: Int) {
    self.hidden = hidden
    self.intermediate = intermediate
    self.heads = heads
    self.keyValueHeads = keyValueHeads
    self.vocabulary = vocabulary
    self.blocks = blocks
  }

  /// Qwen2-7B with some of its 28 blocks.
  package static func qwen2(blocks: Int) -> ModelShape {
    ModelShape(hidden: 3584, intermediate: 18_944, heads: 28, keyValueHeads: 4, vocabulary: 152_064, blocks: blocks)
  }

  /// config.json.
  package var json: JSONValue {
    [
      "architectures": ["Qwen2ForCausalLM"],
      "model_type": "qwen2",
      "torch_dtype": "bfloat16",
      "hidden_size": .integer(Int64(hidden)),
      "intermediate_size": .integer(Int64(intermediate)),
      "num_hidden_layers": .integer(Int64(blocks)),
      "num_attention_heads": .integer(Int64(heads)),
      "num_key_value_heads": .integer(Int64(keyValueHeads)),
      "vocab_size": .integer(Int64(vocabulary)),
      "max_position_embeddings": 32_768,
      "hidden_act": "silu",
      "rms_norm_eps": 1e-6,
      "rope_theta": 1_000_000.0,
      "tie_word_embeddings": false,
    ]
  }

  /// - Throws: `ModelError` where the sizes don't fit together.
  package func configuration() throws -> ModelConfiguration { try ModelConfiguration(json) }
}
