import Transformer

/// Floating-point operations that no GPTQ job of some size can do without, whatever its options: the measure of utilisation.
package struct MinimalWork: Encodable, Sendable, Equatable {
  /// Every linear layer's products with its inputs.
  package private(set) var forward = 0.0
  /// Attention's products.
  package private(set) var attention = 0.0
  package private(set) var hessians = 0.0
  package private(set) var factorizations = 0.0
  /// The column by column quantization.
  package private(set) var recurrences = 0.0

  package var total: Double { forward + attention + hessians + factorizations + recurrences }

  /// A whole job, for T calibration tokens in sequences of L; a linear has m outputs and n inputs:
  ///
  ///     forward         2·T·m·n   every linear, once; not the last block's down projection, whose outputs nobody reads
  ///     attention       2·T·L·d   every block; Q·Kᵀ and P·V take 2·T·L·d each, of which causality halves both; d = heads × head size
  ///     hessians        T·n²      every input that linears share: XᵀX is symmetric, so half of 2·T·n²
  ///     factorizations  n³/3      every Hessian, by Cholesky
  ///     recurrences     m·n²      every linear: each column's error is spread over those that follow
  package init(_ configuration: ModelConfiguration, tokens: Int, length: Int) {
    for block in 0..<configuration.blockCount {
      for group in BlockStage.allCases.flatMap({ configuration.inputGroups(of: $0, ofBlock: block) }) {
        let n = Double(group[0].inputs)
        hessians += group[0].share * Double(tokens) * n * n
        factorizations += n * n * n / 3
      }
      for linear in configuration.linears(ofBlock: block) {
        let (m, n) = (Double(linear.outputs), Double(linear.inputs))
        if !(block == configuration.blockCount - 1 && linear.role == .down) { forward += 2 * linear.share * Double(tokens) * m * n }
        recurrences += m * n * n
      }
      attention += 2 * Double(tokens) * Double(length) * Double(configuration.queryChannels)
    }
  }
}
