import LinearAlgebra

/// H = (2/T)·XᵀX of a layer's calibration inputs, added up batch by batch (NUMERICS section 1).
///
/// Batches are multiplied in float32 and added in float64, so that more tokens never lose the small directions.
public struct HessianAccumulator: Sendable {
  private var sum: SymmetricMatrix
  /// Tokens added so far.
  public private(set) var tokens = 0

  /// - Parameter columns: Input channels n.
  public init(columns: Int) { sum = SymmetricMatrix(size: columns) }

  /// Adds the inputs of some tokens.
  ///
  /// - Parameter inputs: [tokens, n], finite; no padding tokens among them.
  mutating func add(_ inputs: MatrixView<Float>) {
    sum.addGram(of: inputs)
    tokens += inputs.rows
  }

  /// Adds what the ranks have in a step.
  ///
  /// - Parameters:
  ///   - inputs: This rank's, each [tokens, n], finite.
  ///   - tokens: Of each rank.
  /// - Throws: `RankError`.
  mutating func add(_ inputs: [MatrixView<Float>], tokens: [Int], sums: SharedSums) throws {
    try sum.withTiles { try sums.add(inputs, to: $0, contributing: tokens.map { $0 > 0 }) }
    self.tokens += tokens.reduce(0, +)
  }

  /// Gets the sum to which all ranks added.
  ///
  /// - Throws: `RankError`.
  mutating func complete(_ sums: SharedSums) throws { try sum.withTiles { try sums.complete($0) } }

  /// Adds the inputs of some tokens.
  public mutating func add(_ inputs: Matrix<Float>) { inputs.withView { add($0) } }

  /// Fills up with tokens of other inputs of the same channels: their mean XᵀX counts as many times as tokens are lacking.
  mutating func complete(with others: HessianAccumulator, to needed: Int) {
    guard tokens < needed, others.tokens > 0 else { return }
    sum.add(others.sum, times: Double(needed - tokens) / Double(others.tokens))
    tokens = needed
  }

  /// H [n, n].
  public consuming func hessian() -> SymmetricMatrix {
    sum.scale(by: 2 / Double(max(1, tokens)))
    return sum
  }
}
