import Crypto
import Foundation
import JobModel
import Testing
import gptqctl

/// Models and datasets by the client that is shipped, up to the job that uses them.
@Suite(.serialized) struct UploadTests {
  private func push(_ server: EngineServer, _ folder: URL, _ more: [String] = []) async throws {
    try await ModelPush.parse([folder.path, "--name", "mine", "--url", server.client.base.absoluteString] + more).run()
  }

  @Test("A job runs on an uploaded model and an uploaded dataset, which can be deleted afterwards")
  func aJobOnUploads() async throws {
    try await EngineServer.run { server in
      let rows = try Data(contentsOf: server.datasets.appending(component: "ids.jsonl"))
      let local = server.folder.appending(component: "local")
      try EngineServer.copyModel(to: local)
      try Data("no".utf8).write(to: local.appending(component: ".hidden"))
      try FileManager.default.createDirectory(at: local.appending(component: "more"), withIntermediateDirectories: true)
      try Data().write(to: local.appending(path: "more/empty.txt"))
      try rows.write(to: local.appending(path: "more/lines.jsonl"))
      for _ in 0..<2 { try await push(server, local) }
      try await DatasetPush.parse([local.appending(path: "more/lines.jsonl").path, "--url", server.client.base.absoluteString]).run()

      let model = try await server.client.get(StoredModel.self, "/v1/models/mine")
      #expect(
        model.files?.map(\.path) == ["config.json", "generation_config.json", "model.safetensors", "more/empty.txt", "more/lines.jsonl"])
      #expect(try await server.client.get(StoredDataset.self, "/v1/datasets/lines").rows == 40)
      let request = """
        {"model": "mine", "quantization": {"bits": 4, "group_size": 32},
         "calibration": {"dataset": "lines", "samples": 4, "sequence_length": 64}}
        """
      let job = try await server.ended(server.submit(request).id)
      #expect(job.status == .succeeded, "\(job.error?.detail ?? "")")
      // The same as from the roots.
      let other = try await server.ended(
        server.submit(request.replacing("\"mine\"", with: "\"tiny\"").replacing("\"lines\"", with: "\"ids\"")).id)
      func files(_ job: Job) -> [ArtifactManifest.File]? { job.result?.files.filter { $0.path != "report.json" } }
      #expect(files(job) == files(other) && files(job)?.isEmpty == false)
      for path in ["/v1/models/mine", "/v1/datasets/lines"] { _ = try await server.client.send("DELETE", path) }
      let problem = try #require(try await server.refusal(request))
      #expect(problem.code == .invalidModel)
    }
  }

  @Test("What is there isn't sent again, what was cut off goes on")
  func sendsWhatIsMissing() async throws {
    try await EngineServer.run { server in
      let file = EngineServer.tinyModel.appending(component: "model.safetensors")
      let bytes = try Data(contentsOf: file)
      let path = "/v1/models/mine/files/model.safetensors"
      func upload() async throws -> (FileUpload.Outcome, [Int]) {
        let sent = Sent()
        let outcome = try await FileUpload(client: server.client, path: path, file: file, partSize: 100_000).run { step in
          if case .sending(let bytes) = step { sent.add(bytes) }
        }
        return (outcome, sent.offsets)
      }
      let (first, offsets) = try await upload()
      #expect(first == .uploaded && offsets == Array(stride(from: 0, to: bytes.count, by: 100_000)) + [bytes.count])
      let (second, none) = try await upload()
      #expect(second == .present && none.isEmpty)
      _ = try await server.client.send("DELETE", path)
      // Of the same file, and of another one.
      for (digest, start) in [(try Self.field(bytes), 30_000), (try Self.field(Data("other".utf8)), 0)] {
        _ = try await server.client.send(
          "PUT", path, body: bytes.prefix(30_000),
          headers: ["Content-Range": "bytes 0-29999/\(bytes.count)", "Repr-Digest": digest])
        let (outcome, offsets) = try await upload()
        #expect(outcome == .uploaded && offsets.first == start)
        #expect(try await server.client.get(StoredFile.self, path).size == bytes.count)
        _ = try await server.client.send("DELETE", path)
      }
    }
  }

  @Test("What can't be pushed is said before anything is sent")
  func refusesBadFolders() async throws {
    try await EngineServer.run { server in
      let folder = server.folder.appending(component: "bad")
      for (name, message) in [("a b.txt", "doesn't take it"), ("ä.txt", "doesn't take it")] {
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        try Data().write(to: folder.appending(component: name))
        let error = await #expect(throws: ClientError.self) { try await push(server, folder) }
        #expect(error?.description.contains(message) == true)
        try FileManager.default.removeItem(at: folder)
      }
      try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
      await #expect(throws: ClientError.self) { try await push(server, folder) }
      try Data("{\"text\": 1}".utf8).write(to: folder.appending(component: "lines.jsonl"))
      let error = await #expect(throws: ClientError.self) {
        try await DatasetPush.parse([folder.appending(component: "lines.jsonl").path, "--url", server.client.base.absoluteString]).run()
      }
      #expect(error?.description.contains("line 1: text must be a string") == true)
      #expect(try await server.client.get(APIList<StoredModel>.self, "/v1/models").data.map(\.name) == ["tiny"])
    }
  }

  private static func field(_ data: Data) throws -> String { "sha-256=:\(Data(SHA256.hash(data: data)).base64EncodedString()):" }
}

private final class Sent: @unchecked Sendable {
  private let lock = NSLock()
  /// Guarded by `lock`.
  private var values: [Int] = []

  func add(_ value: Int) { lock.withLock { values.append(value) } }
  var offsets: [Int] { lock.withLock { values } }
}
