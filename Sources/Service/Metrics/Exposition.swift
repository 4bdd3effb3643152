/// The text that Prometheus reads, version 0.0.4.
///
/// Source: prometheus.io/docs/instrumenting/exposition_formats.
package struct Exposition: Sendable {
  package static let contentType = "text/plain; version=0.0.4; charset=utf-8"

  package private(set) var text = ""

  package init() {}

  /// Adds a family with a single sample.
  package mutating func add(_ family: MetricFamily, _ value: Double) { add(family, [([], value)]) }

  /// Adds a family; of one without samples, only what it is.
  ///
  /// - Parameter samples: Values of the family's labels, and the value that they have.
  package mutating func add(_ family: MetricFamily, _ samples: [(labels: [String], value: Double)]) {
    describe(family)
    for sample in samples { line(family.name, Array(zip(family.labels, sample.labels)), sample.value) }
  }

  mutating func add(_ family: MetricFamily, _ histograms: [(labels: [String], histogram: Histogram)]) {
    describe(family)
    for (values, histogram) in histograms {
      let labels = Array(zip(family.labels, values))
      var count = 0.0
      for (bound, own) in zip(histogram.buckets.bounds + [.infinity], histogram.counts) {
        count += own
        line(family.name + "_bucket", labels + [("le", Self.number(bound))], count)
      }
      line(family.name + "_sum", labels, histogram.sum)
      line(family.name + "_count", labels, count)
    }
  }

  private mutating func describe(_ family: MetricFamily) {
    text += "# HELP \(family.name) \(Self.escaped(family.help))\n# TYPE \(family.name) \(family.kind.rawValue)\n"
  }

  private mutating func line(_ name: String, _ labels: [(name: String, value: String)], _ value: Double) {
    text += name
    if !labels.isEmpty {
      let pairs = labels.map { "\($0.name)=\"\(Self.escaped($0.value).replacing("\"", with: "\\\""))\"" }
      text += "{\(pairs.joined(separator: ","))}"
    }
    text += " \(Self.number(value))\n"
  }

  private static func escaped(_ text: String) -> String { text.replacing("\\", with: "\\\\").replacing("\n", with: "\\n") }

  /// Whole numbers as such, as far as a `Double` tells them from others.
  private static func number(_ value: Double) -> String {
    if value.isNaN { return "NaN" }
    if value.isInfinite { return value < 0 ? "-Inf" : "+Inf" }
    return Int(exactly: value).map(String.init) ?? "\(value)"
  }
}
