import ArgumentParser

struct Nodes: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Computes what a block would take on 1 to 64 nodes, by a model of operations, bytes and rates; measures nothing.",
    discussion: "docs/several-nodes.md explains the model. Rates of one core come from \"gptqd-bench ranks\" with one rank.")

  @OptionGroup var shape: ShapeOptions

  @Option(help: "Calibration sequences.") var samples = 128
  @Option(help: "Tokens of a sequence.") var length = 2048
  @Flag(help: "Without error compensation.") var noCompensation = false
  @Option(help: "Cores of a node.") var cores = 32
  @Option(help: "GFLOP/s of a core in products of activations.") var products = 60.0
  @Option(help: "GFLOP/s of a core in factorisations.") var factor = 40.0
  @Option(help: "GFLOP/s of a core in the rows' recurrence and what follows.") var rows = 30.0
  @Option(help: "GB/s that a node sends.") var network = 3.0
  @Option(help: "Most nodes.") var nodes = 64
  @Flag(help: "Print one JSON document.") var json = false

  func validate() throws {
    guard min(products, factor, rows, network) > 0, cores > 0, nodes > 0, samples > 0, length > 0 else {
      throw ValidationError("All numbers must be more than 0.")
    }
  }

  func run() throws {
    let giga = 1e9
    let core = Double(cores) * giga
    let rates = NodeModel.Rates(products: products * core, factor: factor * core, rows: rows * core, network: network * giga)
    let model = NodeModel(shape.shape, samples: samples, length: length, compensates: !noCompensation)
    let counts = Array(sequence(first: 1) { $0 * 2 }.prefix { $0 <= nodes })
    var report = Report(asJSON: json)
    report.add(
      NodeFinding(
        summary: "\(shape.blocks) blocks of \(shape.hidden) and \(shape.intermediate) channels, \(samples) × \(length) tokens, "
          + "\(cores) cores a node, \(network.rounded(decimals: 1)) GB/s", blocks: shape.blocks,
        predictions: counts.map { NodeFinding.Prediction(nodes: $0, block: model.block(nodes: $0, rates)) }))
    try report.finish()
  }
}

/// The model's figures.
private struct NodeFinding: Finding {
  struct Prediction: Encodable, Sendable {
    let nodes: Int
    let block: NodeModel.Block
  }

  let summary: String
  let blocks: Int
  let predictions: [Prediction]

  private enum CodingKeys: CodingKey { case summary, blocks, predictions }

  var key: String { "nodes" }
  var goals: [Goal] { [] }
  var heading: String { summary }

  var table: TextTable {
    var table = TextTable([
      "nodes", "forward and sums s", "exchange s", "factor s", "rows s", "block s", "model h", "speed-up", "sent GB a block",
    ])
    guard let alone = predictions.first?.block.seconds else { return table }
    for prediction in predictions {
      let block = prediction.block
      table.add(
        ["\(prediction.nodes)"] + [block.products, block.exchange, block.factor, block.rows, block.seconds].map { $0.rounded(decimals: 1) }
          + [
            (block.seconds * Double(blocks) / 3600).rounded(decimals: 2), (alone / block.seconds).rounded(decimals: 1),
            (block.sentBytes / 1e9).rounded(decimals: 1),
          ])
    }
    return table
  }
}
