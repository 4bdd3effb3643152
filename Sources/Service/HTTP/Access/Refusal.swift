import HTTPTypes
import JobModel

/// A problem that comes with header fields of its own.
package struct Refusal: Error {
  package let problem: Problem
  let headers: HTTPFields

  init(_ problem: Problem, headers: HTTPFields) {
    (self.problem, self.headers) = (problem, headers)
  }

  init(_ problem: Problem, retryAfter: Duration) {
    self.init(problem, headers: [.retryAfter: "\(max(1, retryAfter.components.seconds + (retryAfter.components.attoseconds > 0 ? 1 : 0)))"])
  }
}
