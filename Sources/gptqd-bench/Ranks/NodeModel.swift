/// What a block of a job takes on several nodes, by operations, bytes and rates; docs/several-nodes.md explains and checks it.
package struct NodeModel: Sendable {
  /// What a node does.
  package struct Rates: Sendable {
    /// Operations a second of products of activations: forward pass and sums.
    package var products: Double
    /// Of factorisations.
    package var factor: Double
    /// Of the linears' rows.
    package var rows: Double
    /// Bytes a second that a node sends while it receives as many.
    package var network: Double

    package init(products: Double, factor: Double, rows: Double, network: Double) {
      (self.products, self.factor, self.rows, self.network) = (products, factor, rows, network)
    }
  }

  /// Seconds of a block, and bytes that a node sends for it.
  package struct Block: Encodable, Sendable {
    package let products: Double
    package let exchange: Double
    package let factor: Double
    package let rows: Double
    package let sentBytes: Double

    package var seconds: Double { products + exchange + factor + rows }
  }

  private let shape: ModelShape
  private let samples: Int
  private let length: Int
  private let compensates: Bool

  /// - Parameters:
  ///   - samples: Calibration sequences.
  ///   - length: Tokens of each.
  ///   - compensates: Errors of earlier layers are compensated, which takes a second stream of activations and sums of its own.
  package init(_ shape: ModelShape, samples: Int, length: Int, compensates: Bool) {
    (self.shape, self.samples, self.length, self.compensates) = (shape, samples, length, compensates)
  }

  // MARK: Sizes

  /// Inputs and outputs of the linears that read one input, for each of a block's four.
  private var groups: [(inputs: Double, outputs: Double)] {
    let (hidden, inner) = (Double(shape.hidden), Double(shape.intermediate))
    let keys = hidden / Double(shape.heads) * Double(shape.keyValueHeads)
    return [(hidden, hidden + 2 * keys), (hidden, hidden), (hidden, 2 * inner), (inner, hidden)]
  }

  private var tokens: Double { Double(samples) * Double(length) }

  /// A tenth is held out where errors are compensated.
  private var summedTokens: Double { Double(samples - (compensates ? max(1, samples / 10) : 0)) * Double(length) }

  /// Values of what is summed up beside the Hessian: the correlation of both streams, or of the narrower outputs.
  private func correlation(_ group: (inputs: Double, outputs: Double)) -> Double {
    compensates ? group.inputs * min(group.inputs, group.inputs > group.outputs ? group.outputs : .infinity) : 0
  }

  // MARK: Operations

  private var forward: Double {
    let products = groups.reduce(0) { $0 + $1.inputs * $1.outputs } + Double(length) * Double(shape.hidden)
    return (compensates ? 2 : 1) * 2 * tokens * products
  }

  private var sums: Double { groups.reduce(0) { $0 + summedTokens * ($1.inputs * $1.inputs + 2 * correlation($1)) } }

  private var factorization: Double { groups.reduce(0) { $0 + $1.inputs * $1.inputs * $1.inputs / 3 } }

  /// The recurrence with and without searched scales, refinement, and compensation's two triangular solves.
  private var rows: Double { groups.reduce(0) { $0 + (compensates ? 7 : 5) * $1.outputs * $1.inputs * $1.inputs } }

  // MARK: Bytes

  /// Tokens whose products are added at once.
  private var granule: Double { Double(max(1, 4096 / length) * length) }

  /// Products of a granule in float32: half a Hessian, and the correlation.
  private var productBytes: Double { groups.reduce(0) { $0 + 4 * ($1.inputs * $1.inputs / 2 + correlation($1)) } }

  /// What all ranks get at the end of each stage: sums, and the quantized rows.
  private var resultBytes: Double {
    groups.reduce(0) { $0 + 8 * $1.inputs * $1.inputs / 2 + 4 * correlation($1) + $1.inputs * $1.outputs }
  }

  /// Of which each node sends its share to each other one, and products of its granules to those who add them.
  private func sentBytes(nodes: Double) -> Double {
    let others = (nodes - 1) / nodes
    let granules = (summedTokens / granule / nodes).rounded(.up)
    return others * (granules * productBytes + resultBytes)
  }

  /// Parts of a block one after the other, as they are: no exchange hides behind a product.
  package func block(nodes: Int, _ rates: Rates) -> Block {
    let nodes = Double(nodes)
    let bytes = sentBytes(nodes: nodes)
    return Block(
      products: (forward + sums) / nodes / rates.products, exchange: bytes / rates.network, factor: factorization / rates.factor,
      rows: rows / nodes / rates.rows, sentBytes: bytes)
  }
}
