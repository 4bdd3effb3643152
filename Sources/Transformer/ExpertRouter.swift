import LinearAlgebra

/// Which tokens each expert computes, and how much its outputs count.
public struct ExpertRouting: Sendable {
  /// Tokens by routed expert, rising.
  public fileprivate(set) var tokens: [[Int]]
  /// The weight of each of those.
  fileprivate(set) var weights: [[Float]]
  /// The weight of the shared expert for each token; empty where there is none.
  fileprivate(set) var sharedWeights: [Float]

  /// Of several slices of tokens.
  init(joining parts: [(start: Int, routing: ExpertRouting)], experts: Int) {
    tokens = [[Int]](repeating: [], count: experts)
    weights = [[Float]](repeating: [], count: experts)
    sharedWeights = []
    for part in parts {
      for expert in 0..<experts {
        tokens[expert] += part.routing.tokens[expert].map { $0 + part.start }
        weights[expert] += part.routing.weights[expert]
      }
      sharedWeights += part.routing.sharedWeights
    }
  }

  fileprivate init(experts: Int) { self.init(joining: [], experts: experts) }
}

/// The gates of a mixture of experts.
struct ExpertRouter: Sendable {
  /// [experts, hidden size].
  private let weight: Matrix<Float>
  /// [1, hidden size]; nil where there is no shared expert.
  private let sharedGate: Matrix<Float>?
  private let perToken: Int
  private let normalizesWeights: Bool

  /// - Parameter prefix: Of the block's tensors.
  init(_ prefix: String, _ experts: ExpertConfiguration, _ layout: ExpertLayout, hiddenSize: Int, from source: some TensorSource) throws {
    weight = try source.matrix(prefix + layout.router + ".weight", rows: experts.count, columns: hiddenSize)
    sharedGate =
      experts.sharedIntermediateSize == nil
      ? nil : try source.matrix(prefix + layout.sharedGate + ".weight", rows: 1, columns: hiddenSize)
    perToken = experts.perToken
    normalizesWeights = experts.normalizesWeights
  }

  var experts: Int { weight.rows }

  /// Softmax over all experts, of which the highest compute the token; on the calling thread.
  ///
  /// - Parameter input: Of the MLP [tokens, hidden size].
  func route(_ input: MatrixView<Float>) -> ExpertRouting {
    var routing = ExpertRouting(experts: experts)
    withScratchMatrix(rows: input.rows, columns: experts) { scores in
      weight.withView { multiply(input, by: $0, .transposed, into: scores) }
      for token in 0..<input.rows {
        softmax(scores.base + token * scores.rowStride, count: experts)
        let chosen = highest(of: (0..<experts).map { scores[token, $0] })
        let sum = normalizesWeights ? chosen.reduce(0) { $0 + scores[token, $1] } : 1
        for expert in chosen {
          routing.tokens[expert].append(token)
          routing.weights[expert].append(scores[token, expert] / sum)
        }
      }
    }
    guard let sharedGate else { return routing }
    withScratchMatrix(rows: input.rows, columns: 1) { gates in
      sharedGate.withView { multiply(input, by: $0, .transposed, into: gates) }
      routing.sharedWeights = (0..<input.rows).map { sigmoid(gates[$0, 0]) }
    }
    return routing
  }

  /// Positions of the highest values; of equal ones the first.
  private func highest(of values: [Float]) -> [Int] {
    // NaN, which a token with lost activations has everywhere, counts as lowest.
    let order = values.indices.sorted {
      let (a, b) = (values[$0].isNaN ? -.infinity : values[$0], values[$1].isNaN ? -.infinity : values[$1])
      return a > b || (a == b && $0 < $1)
    }
    return Array(order.prefix(perToken))
  }
}
