import Foundation
import JobModel
import Service
import Testing

extension TestServer {
  /// A daemon whose Hub is `hub`, with short pauses between tries.
  static func run(
    hub: ScriptedHub, _ settings: [String: String] = [:], in folder: TemporaryFolder? = nil,
    configure: (inout ServiceConfiguration) -> Void = { _ in }, _ body: (TestServer) async throws -> Void
  ) async throws {
    try await run(
      ["GPTQD_HUB_ENDPOINT": hub.url].merging(settings) { $1 }, in: folder,
      configure: { configuration in
        configuration.hub.pause = .milliseconds(2)
        // Of a loaded machine.
        configuration.hub.answerLimit = .seconds(60)
        configure(&configuration)
      }, body)
  }

  func submit(hub model: String, revision: String? = nil) async throws -> RawAnswer {
    let revision = revision.map { #", "revision": "\#($0)""# } ?? ""
    return try await post(#"{"model":{"hub":"\#(model)"\#(revision)},"quantization":{"method":"rtn"}}"#)
  }

  /// A job that was accepted.
  func accepted(hub model: String, revision: String? = nil) async throws -> Job {
    let answer = try await submit(hub: model, revision: revision)
    try #require(answer.status == 202, "\(String(decoding: answer.body, as: UTF8.self))")
    return try answer.decode(Job.self)
  }

  /// A file of the daemon's store.
  func stored(_ repository: TestRepository, _ file: String = "", isPartial: Bool = false) -> URL {
    folder.url.appending(path: "data/hub/\(repository.name)/\(repository.commit)\(isPartial ? ".part" : "")/\(file)")
  }

  func storedNames(_ repository: TestRepository, isPartial: Bool = false) -> [String] {
    ((try? FileManager.default.contentsOfDirectory(atPath: stored(repository, isPartial: isPartial).path)) ?? []).sorted()
  }

  func events(of id: JobID) async throws -> [JobEvent] {
    try await send("GET", "/v1/jobs/\(id)/events?limit=1000").decode(APIList<JobEvent>.self).data
  }

  /// Returns when `condition` holds.
  func wait(_ what: String, until condition: () async throws -> Bool) async throws {
    for _ in 0..<6000 {
      if try await condition() { return }
      try await Task.sleep(for: .milliseconds(10))
    }
    Issue.record("waited in vain for \(what)")
  }
}
