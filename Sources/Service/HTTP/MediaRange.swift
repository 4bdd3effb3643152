import Foundation

/// A kind of answer that a client can choose.
enum MediaRange: String {
  case json = "application/json"
  case eventStream = "text/event-stream"

  /// Whether `Accept` names `kind`, with no less weight than it gives to `other`.
  ///
  /// Source: RFC 9110, section 12.5.1. Wildcards don't count: who takes anything gets what the route gives by default.
  static func prefers(_ kind: MediaRange, over other: MediaRange, in accept: [String]) -> Bool {
    var weights: [String: Double] = [:]
    for range in accept.joined(separator: ",").split(separator: ",") {
      let parts = range.split(separator: ";").map { $0.trimmingCharacters(in: .whitespaces).lowercased() }
      guard let name = parts.first else { continue }
      let weight = parts.dropFirst().first { $0.hasPrefix("q=") }.map { Double($0.dropFirst(2)) ?? 0 }
      weights[name] = max(weights[name] ?? 0, weight ?? 1)
    }
    guard let weight = weights[kind.rawValue], weight > 0 else { return false }
    return weight >= weights[other.rawValue] ?? 0
  }
}
