import ArgumentParser

/// Sizes of a generated checkpoint; Qwen2-7B's where nothing else is asked for.
struct ShapeOptions: ParsableArguments {
  @Option(help: "Decoder blocks.")
  var blocks = 2

  @Option(help: "Channels of the hidden states.")
  var hidden = 3584

  @Option(help: "Inner channels of the MLP.")
  var intermediate = 18_944

  @Option(help: "Attention heads; divides --hidden.")
  var heads = 28

  @Option(help: "Key and value heads; divides --heads.")
  var kvHeads = 4

  @Option(help: "Tokens of the vocabulary.")
  var vocabulary = 152_064

  var shape: ModelShape {
    ModelShape(
      hidden: hidden, intermediate: intermediate, heads: heads, keyValueHeads: kvHeads, vocabulary: vocabulary, blocks: blocks)
  }
}
