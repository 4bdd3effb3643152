import JobModel

/// A job's layers, one a row.
package struct LayerTable {
  private let layers: [LayerRecord]

  package init(_ layers: [LayerRecord]) { self.layers = layers }

  package var text: String {
    var table = TextTable([
      ("layer", .left), ("shape", .right), ("state", .left), ("method", .left), ("degraded", .left), ("damping", .right),
      ("attempts", .right), ("relative loss", .right), ("search", .right), ("refinement", .right), ("α", .right), ("tokens", .right),
      ("dead", .right), ("seconds", .right),
    ])
    for layer in layers {
      table.add([
        layer.name, Formatting.shape(layer.shape), layer.state.rawValue, layer.method?.rawValue ?? "–", Self.degradation(layer),
        Formatting.significant(layer.damping), "\(layer.attempts)", Formatting.significant(layer.relativeLoss),
        Formatting.percent(layer.kept?.scaleSearch), Formatting.percent(layer.kept?.scaleRefinement),
        Formatting.significant(layer.kept?.errorCompensation), Formatting.optional(layer.tokens), Formatting.optional(layer.deadColumns),
        layer.seconds.map { Formatting.fixed($0, 3) } ?? "–",
      ])
    }
    return table.text
  }

  private static func degradation(_ layer: LayerRecord) -> String { layer.degraded ? layer.cause?.rawValue ?? "yes" : "–" }
}
