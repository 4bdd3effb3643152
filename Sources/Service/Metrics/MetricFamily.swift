/// A family of metrics, as Prometheus calls them: what one name counts, told apart by labels.
package struct MetricFamily: Sendable, Hashable {
  package enum Kind: String, Sendable { case counter, gauge, histogram }

  package let name: String
  package let kind: Kind
  /// In the order in which samples give their values.
  package let labels: [String]
  package let help: String

  package init(_ kind: Kind, _ name: String, labels: [String] = [], _ help: String) {
    (self.kind, self.name, self.labels, self.help) = (kind, name, labels, help)
  }
}
