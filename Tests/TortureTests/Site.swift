import Crypto
import Foundation
import JobModel
import JobStore
import StrictJSON

/// A model and data that the daemons of a test read, each with a data folder of its own.
struct Site: Sendable {
  let folder: URL

  static let request = """
    {"model": "tiny", "quantization": {"bits": 4, "group_size": 32},
     "calibration": {"dataset": "ids", "samples": 4, "sequence_length": 64}}
    """

  /// Runs `body` with a site that is removed afterwards.
  ///
  /// - Parameter parent: nil: the temporary folder.
  static func run<Value>(in parent: URL? = nil, _ body: (Site) async throws -> Value) async throws -> Value {
    let site = try Site(in: parent ?? FileManager.default.temporaryDirectory)
    defer { try? FileManager.default.removeItem(at: site.folder) }
    return try await body(site)
  }

  private init(in parent: URL) throws {
    // Real, since the kernel tells of files by their real paths.
    folder = parent.resolvingSymlinksInPath().appending(component: "gptqd-torture-\(UUID().uuidString.prefix(8))")
    for name in ["models/tiny", "datasets", "data"] {
      try FileManager.default.createDirectory(at: folder.appending(path: name), withIntermediateDirectories: true)
    }
    for name in ["config.json", "model.safetensors", "generation_config.json"] {
      try FileManager.default.copyItem(
        at: Fixtures.model("qwen2").appending(component: name), to: folder.appending(path: "models/tiny/\(name)"))
    }
    try Data(Fixtures.tokenRows(40).joined(separator: "\n").utf8).write(to: folder.appending(path: "datasets/ids.jsonl"))
  }

  /// A name for a data folder that isn't there yet.
  func newDataFolder() -> URL { folder.appending(path: "data/\(UUID().uuidString.prefix(8))") }

  func copy(_ template: URL?) throws -> URL {
    let data = newDataFolder()
    guard let template else { return data }
    try FileManager.default.copyItem(at: template, to: data)
    return data
  }

  var environment: [String: String] {
    [
      "GPTQD_HTTP_LISTEN": "127.0.0.1:0", "GPTQD_MODELS_ROOTS": folder.appending(component: "models").path,
      "GPTQD_DATASETS_ROOTS": folder.appending(component: "datasets").path, "GPTQD_COMPUTE_THREADS": "1", "OPENBLAS_NUM_THREADS": "1",
      "PATH": ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin", "HOME": folder.path, "SWIFT_BACKTRACE": "enable=no",
      "LD_LIBRARY_PATH": ProcessInfo.processInfo.environment["LD_LIBRARY_PATH"] ?? "",
    ]
  }

  /// A data folder whose database has a job in its queue, as an earlier daemon left it.
  ///
  /// - Parameter warnings: The job's, which its report repeats.
  func queued(_ body: String = Site.request, warnings: [String] = []) async throws -> (data: URL, job: JobID) {
    let data = try migrated()
    let repository = try JobRepository(database: data.appending(component: "gptqd.sqlite"))
    let request = try JobRequest(parsing: JSONValue(parsing: body))
    guard case .created(let job) = try await repository.submit(request, layers: [], warnings: warnings, key: nil, now: Date()) else {
      throw CocoaError(.featureUnsupported)
    }
    return (data, job.id)
  }

  /// A data folder with an empty database.
  func migrated() throws -> URL {
    let data = newDataFolder()
    try FileManager.default.createDirectory(at: data, withIntermediateDirectories: true)
    _ = try JobRepository(database: data.appending(component: "gptqd.sqlite"))
    return data
  }

  /// What the request gives when nothing disturbs the daemon.
  struct Undisturbed: Sendable {
    /// SHA-256 of the artifact's files.
    let files: [String: String]
    let warnings: [String]
    /// Of the daemon's start and the job.
    let duration: Duration
  }

  func undisturbed() async throws -> Undisturbed {
    let data = newDataFolder()
    defer { try? FileManager.default.removeItem(at: data) }
    let start = ContinuousClock.now
    return try await DaemonProcess.run(self, data: data) { daemon in
      let job = try await daemon.ended(daemon.submit())
      guard let result = job.result else { throw DaemonProcess.Failure.jobFailed(job.error?.detail ?? "\(job.status)") }
      return Undisturbed(
        files: Dictionary(uniqueKeysWithValues: result.files.map { ($0.path, $0.sha256) }), warnings: job.warnings,
        duration: ContinuousClock.now - start)
    }
  }
}

/// What the repository has to try things on.
enum Fixtures {
  private static let tests = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()

  static func model(_ name: String) -> URL { tests.appending(path: "TransformerTests/Fixtures/models/\(name)") }

  static func tokenizer(_ name: String) -> URL { tests.appending(path: "TokenizationTests/Fixtures/\(name)") }

  static func tokenRows(_ count: Int) -> [String] {
    (0..<count).map { row in "{\"input_ids\": [" + (0..<50).map { String(($0 * 31 + row * 7) % 157) }.joined(separator: ",") + "]}" }
  }
}

/// SHA-256 in lower-case hexadecimal.
func sha256(_ data: some DataProtocol) -> String {
  SHA256.hash(data: data).map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
}

/// The SHA-256 of each file in a folder; nil where there is no folder.
func digests(of folder: URL) throws -> [String: String]? {
  guard let names = try? FileManager.default.contentsOfDirectory(atPath: folder.path) else { return nil }
  return try Dictionary(
    uniqueKeysWithValues: names.map { ($0, sha256(try Data(contentsOf: folder.appending(component: $0)))) })
}
