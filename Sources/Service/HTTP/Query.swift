import Foundation
import Hummingbird
import JobModel

/// The query parameters of a request; one that isn't known, appears twice or can't be read is refused by its name.
struct Query {
  private var values: [String: String] = [:]

  init() {}

  /// - Throws: `Problem` (400).
  init(_ request: Request, allowing names: Set<String>) throws(Problem) {
    for (key, value) in request.uri.queryParameters {
      let name = String(key)
      guard names.contains(name) else {
        throw .invalidQuery(name, "is not known here; " + (names.isEmpty ? "none is" : "known: \(names.sorted().joined(separator: ", "))"))
      }
      guard values.updateValue(String(value), forKey: name) == nil else { throw .invalidQuery(name, "appears twice") }
    }
  }

  subscript(name: String) -> String? { values[name] }

  func integer(_ name: String, in range: ClosedRange<Int>) throws(Problem) -> Int? {
    guard let text = values[name] else { return nil }
    guard let value = Int(text), range.contains(value) else {
      throw .invalidQuery(name, "must be an integer from \(range.lowerBound) to \(range.upperBound), is \"\(text.prefix(40))\"")
    }
    return value
  }

  func jobID(_ name: String) throws(Problem) -> JobID? {
    guard let text = values[name] else { return nil }
    guard let id = JobID(text) else { throw .invalidQuery(name, "must be a job id, is \"\(text.prefix(40))\"") }
    return id
  }

  func status(_ name: String) throws(Problem) -> JobStatus? {
    guard let text = values[name] else { return nil }
    guard let status = JobStatus(rawValue: text) else {
      let known = JobStatus.allCases.map(\.rawValue).joined(separator: ", ")
      throw .invalidQuery(name, "must be one of \(known), is \"\(text.prefix(40))\"")
    }
    return status
  }
}
