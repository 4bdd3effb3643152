import JobModel
import Testing
import gptqctl

@Suite struct ClientErrorTests {
  struct Case: Sendable, CustomTestStringConvertible {
    let error: ClientError
    let status: Int32
    /// In the message.
    let part: String
    var testDescription: String { "\(error)" }
  }

  @Test(
    "Each error has the exit status that --help promises, and says what it is about",
    arguments: [
      Case(error: .jobEnded(.failed), status: 1, part: "failed"), .init(error: .jobEnded(.cancelled), status: 1, part: "cancelled"),
      .init(error: .refused(.invalidRequest([.init(pointer: "/model", detail: "is missing")])), status: 3, part: "/model is missing"),
      .init(error: .unexpectedAnswer(status: 502, path: "/v1/jobs"), status: 3, part: "/v1/jobs with status 502"),
      .init(error: .noSuchJob("01A", matching: 0), status: 3, part: "no job 01A"),
      .init(error: .noSuchJob("01A", matching: 2), status: 3, part: "2 jobs begin with 01A"),
      .init(error: .unreachable(url: "http://host:1", reason: "refused"), status: 4, part: "http://host:1: refused"),
      .init(error: .wrongBytes(file: "model.safetensors"), status: 5, part: "model.safetensors"),
      .init(error: .invalidURL("ftp://host"), status: 64, part: "ftp://host"),
      .init(error: .file(path: "/x", reason: "is a folder"), status: 64, part: "/x: is a folder"),
    ])
  func statuses(_ test: Case) {
    #expect(test.error.exitStatus == test.status)
    #expect(test.error.description.contains(test.part))
  }
}
