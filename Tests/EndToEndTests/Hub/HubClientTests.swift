import Crypto
import Foundation
import JobModel
import Service
import StrictJSON
import Testing

extension ProgramTests {
  /// The Hub's own clients, as PyPI has them, against the daemon: what they fetch is compared with the manifest and with the files.
  @Suite(.serialized) struct HubClientTests {
    private struct Client {
      let version: String
      /// Whether it has `hf cache verify`.
      let verifies: Bool
      /// Whether transformers is there too.
      let hasTransformers: Bool
      let python: PythonEnvironment
    }

    private static func clients() async throws -> [Client] {
      async let old = PythonEnvironment.named("hub-0.36", "huggingface_hub==0.36.2")
      async let middle = PythonEnvironment.named("hub-1.33", "huggingface_hub==1.33.0")
      async let new = PythonEnvironment.named("hub-2.4", "huggingface_hub==2.4.0", "transformers==5.24.0")
      return [
        Client(version: "0.36.2", verifies: false, hasTransformers: false, python: try await old),
        Client(version: "1.33.0", verifies: true, hasTransformers: false, python: try await middle),
        Client(version: "2.4.0", verifies: true, hasTransformers: true, python: try await new),
      ]
    }

    /// Repositories that the clients are asked to fetch, and files as they should come.
    private struct Site {
      let job: Job
      let damaged: Job
      let unfinished: Job
      let token: String
      let url: String
      /// SHA-256 by path.
      let jobFiles: [String: String]
      let modelFiles: [String: String]
      /// SHA-256 of `weights.bin` of the model `large`.
      let weights: String

      var names: [String: String] {
        [
          "job": "jobs/\(job.id)", "model": "models/tiny", "large": "models/large", "damaged": "jobs/\(damaged.id)",
          "unfinished": "jobs/\(unfinished.id)",
          "unknown": "jobs/\(JobID())",
        ]
      }
    }

    @Test("huggingface_hub 0.36, 1.33 and 2.4, and transformers, fetch jobs and models")
    func clientsFetch() async throws {
      let clients = try await Self.clients()
      let (reader, writer) = (try AccessToken.make(name: "reader", scope: .read), try AccessToken.make(name: "writer", scope: .write))
      let lines = [reader, writer].map(\.token.configurationLine).joined(separator: ",")
      let settings = ["GPTQD_AUTH_TOKENS": lines, "GPTQD_AUTH_FAILURES_PER_MINUTE": "1000"]
      try await EngineServer.run(settings, token: writer.text) { server in
        let site = try await Self.site(server, token: reader.text)
        let results = try await withThrowingTaskGroup(of: (String, JSONValue).self) { group in
          for client in clients {
            group.addTask { (client.version, try await Self.run(client, site, in: server.folder)) }
          }
          return try await group.reduce(into: [:]) { $0[$1.0] = $1.1 }
        }
        for client in clients {
          let result = try #require(results[client.version])
          #expect(result["version"]?.stringValue == client.version)
          Self.check(result["job"], id: "jobs/\(site.job.id)", commit: site.job.result?.revision, files: site.jobFiles, client.version)
          Self.check(result["model"], id: "models/tiny", commit: nil, files: site.modelFiles, client.version)
          Self.checkResumption(result["resumption"], site, client.version)
          Self.checkCommandLine(result["command_line"], site, client)
          Self.checkFailures(result["failures"], site, client.version)
        }
        Self.checkTransformers(results["2.4.0"]?["transformers"], site)
      }
    }

    private static func site(_ server: EngineServer, token: String) async throws -> Site {
      let model = server.models.appending(component: "tiny")
      try FileManager.default.copyItem(at: tokenizer, to: model.appending(component: "tokenizer.json"))
      try FileManager.default.createDirectory(at: model.appending(component: "original"), withIntermediateDirectories: true)
      try Data("# tiny\n".utf8).write(to: model.appending(path: "original/README.md"))
      let request = """
        {"model": "tiny", "quantization": {"bits": 4, "group_size": 32},
         "calibration": {"dataset": "ids", "samples": 4, "sequence_length": 64}}
        """
      let jobs = [try await server.submit(request), try await server.submit(request), try await server.submit(request)]
      _ = try await server.client.send("POST", "/v1/jobs/\(jobs[2].id)/cancel")
      let (job, damaged) = (try await server.ended(jobs[0].id), try await server.ended(jobs[1].id))
      try #require(job.status == .succeeded && damaged.status == .succeeded, "\(job.error?.detail ?? damaged.error?.detail ?? "")")
      let unfinished = try await server.ended(jobs[2].id)
      try #require(unfinished.status == .cancelled)
      try Data("{}".utf8).write(to: server.folder.appending(path: "data/artifacts/\(damaged.id)/config.json"))
      // Clients write 10 MiB at a time.
      let large = server.models.appending(component: "large")
      try FileManager.default.createDirectory(at: large, withIntermediateDirectories: true)
      try Data((0..<(24 << 20)).map { UInt8(truncatingIfNeeded: $0 &* 2_654_435_761 >> 11) }).write(
        to: large.appending(component: "weights.bin"))
      let artifact = server.folder.appending(path: "data/artifacts/\(job.id)")
      let jobFiles = try sha256(of: artifact)
      #expect(jobFiles == Dictionary(uniqueKeysWithValues: try #require(job.result).files.map { ($0.path, $0.sha256) }))
      #expect(jobFiles.keys.contains("tokenizer.json"))
      return Site(
        job: job, damaged: damaged, unfinished: unfinished, token: token, url: server.url, jobFiles: jobFiles,
        modelFiles: try sha256(of: model),
        weights: try #require(try sha256(of: large)["weights.bin"]))
    }

    /// Of the 140 texts of its golden file, `text` is one.
    private static let tokenizer = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent()
      .appending(path: "TokenizationTests/Fixtures/qwen2/tokenizer.json")
    private static let text = "Hello, world!"
    private static let tokens = [42, 71, 278, 81, 14, 269, 289, 329, 3]

    private static func sha256(of folder: URL) throws -> [String: String] {
      var hashes: [String: String] = [:]
      let paths = try FileManager.default.subpathsOfDirectory(atPath: folder.path)
      for path in paths where !paths.contains(where: { $0.hasPrefix(path + "/") }) {
        hashes[path] = SHA256.hash(data: try Data(contentsOf: folder.appending(path: path))).map { String(format: "%02x", $0) }.joined()
      }
      return hashes
    }

    private static func run(_ client: Client, _ site: Site, in folder: URL) async throws -> JSONValue {
      let script = URL(filePath: #filePath).deletingLastPathComponent().appending(component: "hub_client.py")
      let flags = ["verify": client.verifies, "transformers": client.hasTransformers]
      let arguments = site.names.map { "\"\($0.key)\": \"\($0.value)\"" } + flags.map { "\"\($0.key)\": \($0.value)" }
      let environment = [
        "HF_ENDPOINT": site.url, "HF_TOKEN": site.token, "HF_HOME": folder.appending(component: "hf-\(client.version)").path,
        "HF_HUB_DISABLE_TELEMETRY": "1", "HF_HUB_DISABLE_XET": "1", "HF_HUB_DISABLE_PROGRESS_BARS": "1", "HF_HUB_DISABLE_UPDATE_CHECK": "1",
        "TEXT": text, "NO_COLOR": "1", "PYTHONDONTWRITEBYTECODE": "", "http_proxy": "", "HTTP_PROXY": "", "all_proxy": "", "ALL_PROXY": "",
      ]
      let done = try await Program.run(
        [client.python.python, script.path, "{\(arguments.joined(separator: ", "))}"], environment: environment, limit: 400)
      try #require(done.status == 0, "\(client.version): \(done.errors)")
      return try JSONValue(parsing: Array(done.output.utf8))
    }

    private static func check(_ result: JSONValue?, id: String, commit: String?, files: [String: String], _ version: String) {
      let paths = files.keys.sorted()
      #expect(result?["id"]?.stringValue == id, "\(version)")
      let sha = result?["sha"]?.stringValue
      #expect(sha?.wholeMatch(of: /[0-9a-f]{40}/) != nil && (commit ?? sha) == sha, "\(version) \(id)")
      #expect(result?["commit"]?.stringValue == sha, "\(version) \(id)")
      #expect(result?["siblings"]?.arrayValue?.compactMap(\.stringValue) == paths, "\(version) \(id)")
      #expect(result?["files"]?.arrayValue?.compactMap(\.stringValue).sorted() == paths, "\(version) \(id)")
      #expect(strings(result?["snapshot"]) == files, "\(version) \(id)")
      #expect(strings(result?["pinned"]) == files, "\(version) \(id)")
      #expect(result?["exists"]?.arrayValue?.map(\.boolValue) == [true, true, false], "\(version) \(id)")
      for listing in ["blobs", "tree"] {
        #expect(result?[listing]?.objectValue?.keys.sorted() == paths, "\(version) \(id) \(listing)")
        for path in paths {
          let blob = result?[listing]?[path]
          #expect(blob?["sha256"]?.stringValue == (path.hasSuffix(".safetensors") ? files[path] : nil), "\(version) \(path)")
          #expect(blob?["oid"]?.stringValue?.count == 40 && (blob?["size"]?.intValue ?? 0) > 0, "\(version) \(path)")
        }
      }
    }

    private static func strings(_ object: JSONValue?) -> [String: String]? {
      object?.objectValue.map { object in Dictionary(uniqueKeysWithValues: object.keys.map { ($0, object[$0]?.stringValue ?? "") }) }
    }

    private static func checkResumption(_ result: JSONValue?, _ site: Site, _ version: String) {
      #expect(result?["sha256"]?.stringValue == site.weights, "\(version)")
      let ranges = result?["ranges"]?.arrayValue ?? []
      #expect(ranges.count == 2 && ranges.first?.stringValue == nil, "\(version): \(ranges)")
      let first = ranges.last?.stringValue?.wholeMatch(of: /bytes=([0-9]+)-/).flatMap { Int($0.1) }
      #expect(first.map { $0 >= 10 << 20 && $0 <= 15 << 20 } == true, "\(version): \(ranges)")
    }

    private static func checkCommandLine(_ result: JSONValue?, _ site: Site, _ client: Client) {
      func expect(_ step: String, _ status: (Int) -> Bool, _ text: String) {
        let output = result?[step]?["output"]?.stringValue ?? ""
        #expect(result?[step]?["status"]?.intValue.map(status) == true, "\(client.version) \(step): \(output)")
        #expect(output.contains(text), "\(client.version) \(step): \(output)")
      }
      expect("download", { $0 == 0 }, "command-line")
      #expect(strings(result?["files"]) == site.jobFiles, "\(client.version)")
      expect("whoami", { $0 == 0 }, "reader")
      guard client.verifies else { return }
      expect("verify", { $0 == 0 }, "7")
      expect("verify_changed", { $0 != 0 }, "config.json")
    }

    private static func checkFailures(_ result: JSONValue?, _ site: Site, _ version: String) {
      let exceptions: [(prefix: String, name: String, message: String)] = [
        ("unknown", "RepositoryNotFoundError", "no job has the id"),
        ("elsewhere", "RepositoryNotFoundError", "the repositories of this server are jobs/ID and models/NAME"),
        ("unfinished", "RepositoryNotFoundError", "the job \(site.unfinished.id) is cancelled"),
        ("revision", "RevisionNotFoundError", "has the revisions main and"), ("entry", "EntryNotFoundError", "nothing"),
        ("no token", "RepositoryNotFoundError", "401"), ("wrong token", "HfHubHTTPError", "Invalid credentials in Authorization header"),
        ("damaged", "LocalEntryNotFoundError", "no longer those that the job published"),
      ]
      for case_ in result?.objectValue?.keys.sorted() ?? [] {
        let failure = result?[case_]
        guard let expected = exceptions.first(where: { case_.hasPrefix($0.prefix) }) else {
          Issue.record("\(version) \(case_)")
          continue
        }
        let classes = failure?["classes"]?.arrayValue?.compactMap(\.stringValue) ?? []
        let message = failure?["message"]?.stringValue ?? ""
        // Older clients give the answer's own error where the file is found damaged after its HEAD.
        let isFoundLate = case_.hasPrefix("damaged") && classes.contains("HfHubHTTPError")
        #expect(classes.contains(expected.name) || isFoundLate, "\(version) \(case_): \(classes) \(message)")
        #expect(message.contains(expected.message), "\(version) \(case_): \(message)")
        if case_.hasPrefix("wrong token") { #expect(!classes.contains("RepositoryNotFoundError"), "\(version)") }
      }
      #expect((result?.objectValue?.keys.count ?? 0) == 20, "\(version)")
    }

    private static func checkTransformers(_ result: JSONValue?, _ site: Site) {
      for (name, bits) in [("jobs/\(site.job.id)", 4), ("models/tiny", nil)] {
        #expect(result?[name]?["model_type"]?.stringValue == "qwen2", "\(name)")
        #expect(result?[name]?["hidden_size"]?.intValue == 64, "\(name)")
        #expect(result?[name]?["bits"]?.intValue == bits, "\(name)")
        #expect(result?[name]?["tokens"]?.arrayValue?.compactMap(\.intValue) == tokens, "\(name)")
      }
    }
  }
}
