/// What a benchmark must show.
package struct Goal: Encodable, Sendable, Equatable {
  package enum Bound: String, Encodable, Sendable {
    case atMost = "at_most"
    case atLeast = "at_least"
  }

  package let name: String
  package let value: Double
  package let bound: Bound
  package let limit: Double
  package let isMet: Bool

  package init(_ name: String, _ value: Double, _ bound: Bound, _ limit: Double) {
    self.name = name
    self.value = value
    self.bound = bound
    self.limit = limit
    isMet = bound == .atMost ? value <= limit : value >= limit
  }

  private enum CodingKeys: String, CodingKey {
    case name, value, bound, limit
    case isMet = "met"
  }

  var text: String {
    let relation = bound == .atMost ? "at most" : "at least"
    return "\(isMet ? "✓" : "✗") \(name): \(value.rounded(decimals: 2)), required \(relation) \(limit.rounded(decimals: 2))"
  }
}
