import JobModel

/// Why a command did not do what it was asked.
package enum ClientError: Error, CustomStringConvertible {
  case invalidURL(String)
  case unreachable(url: String, reason: String)
  case refused(Problem)
  case unexpectedAnswer(status: Int, path: String)
  case noSuchJob(String, matching: Int)
  case jobEnded(JobStatus)
  case wrongBytes(file: String)
  case file(path: String, reason: String)

  /// See the discussion of `gptqctl --help`.
  package var exitStatus: Int32 {
    switch self {
    case .jobEnded: 1
    case .refused, .unexpectedAnswer, .noSuchJob: 3
    case .unreachable: 4
    case .wrongBytes: 5
    case .invalidURL, .file: 64
    }
  }

  package var description: String {
    switch self {
    case .invalidURL(let url): "\(url) is not an http address of a server, such as http://127.0.0.1:8790"
    case .unreachable(let url, let reason): "no answer from \(url): \(reason); is gptqd running there?"
    case .refused(let problem):
      ([problem.title + ": " + problem.detail] + (problem.errors ?? []).map { "  \($0.pointer) \($0.detail)" }).joined(separator: "\n")
    case .unexpectedAnswer(let status, let path): "the server answered \(path) with status \(status) and no explanation; is it gptqd?"
    case .noSuchJob(let text, let matching):
      matching == 0 ? "there is no job \(text); gptqctl list shows them" : "\(matching) jobs begin with \(text); give more of the id"
    case .jobEnded(let status): "the job ended as \(status.rawValue)"
    case .wrongBytes(let file): "\(file) does not have the bytes that the server's manifest promises; it was removed, fetch again"
    case .file(let path, let reason): "\(path): \(reason)"
    }
  }
}
