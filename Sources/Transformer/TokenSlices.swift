import LinearAlgebra

/// How tokens are divided among cores: the same way however many of them are computed at once, so that results have the same bits.
public struct TokenSlices: Sendable, Hashable {
  /// Tokens of the whole sequences that sums are taken over at once; slices don't go from one batch to the next.
  public let batch: Int
  /// Most tokens that a core computes at once: enough for efficient products, few enough that other cores have work too.
  public let slice: Int

  /// - Parameters:
  ///   - length: Tokens of a sequence.
  ///   - widest: Channels of the widest activations.
  public init(length: Int, widest: Int) {
    batch = max(1, 4096 / max(1, length)) * length
    slice = widest <= 8192 ? 1024 : 512
  }

  /// Tokens, whole batches, that give every core a few slices.
  public var pass: Int { max(1, 4 * slice * Cores.perJob / batch) * batch }

  /// Runs `body` on the slices of `tokens` tokens, which start with a batch, like `forEachTask`.
  func forEach(of tokens: Int, _ body: (Range<Int>) -> Void) {
    let slices = stride(from: 0, to: tokens, by: batch).flatMap { start in
      let count = min(batch, tokens - start)
      let parts = (count + slice - 1) / slice
      return (0..<parts).map { start + count * $0 / parts..<start + count * ($0 + 1) / parts }
    }
    forEachTask(slices.count) { body(slices[$0]) }
  }
}
