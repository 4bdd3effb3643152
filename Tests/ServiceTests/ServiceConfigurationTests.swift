import Foundation
import Logging
import Service
import Testing

@Suite struct ServiceConfigurationTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private func read(_ yaml: String, _ environment: [String: String] = [:]) async throws -> ServiceConfiguration {
    try await read(Data(yaml.utf8), environment)
  }

  private func read(_ yaml: Data, _ environment: [String: String] = [:]) async throws -> ServiceConfiguration {
    let file = try folder.write("\(UUID().uuidString).yaml", yaml)
    return try await ServiceConfiguration(file: file.path, environment: ["HOME": "/home/someone"].merging(environment) { $1 })
  }

  private let minimal = "log: {level: info}"

  @Test func defaultsAreAsDocumented() async throws {
    let configuration = try await read(minimal)
    #expect(configuration.listen == "127.0.0.1:8790")
    #expect(configuration.limits == HTTPLimits())
    #expect(configuration.limits.headerBytes == 32 << 10)
    #expect(configuration.limits.bodyBytes == 8 << 20)
    #expect(configuration.limits.connections == 2048)
    #expect(configuration.limits.idleTimeout == .seconds(60))
    #expect(configuration.limits.uploadBytesPerSecond == 1024)
    #expect(configuration.limits.downloadBytesPerSecond == 1024)
    #expect(configuration.tokens.isEmpty)
    #expect(configuration.failuresPerMinute == 10)
    #expect(configuration.maxQueuedJobs == 1000)
    #expect(configuration.dataFolder.path == "/home/someone/.local/share/gptqd")
    #expect(configuration.modelRoots.map(\.path) == ["/home/someone/.local/share/gptqd/models"])
    #expect(configuration.datasetRoots.map(\.path) == ["/home/someone/.local/share/gptqd/datasets"])
    #expect(configuration.threads == 0)
    #expect(configuration.workers == 1)
    #expect(configuration.memoryLimit == 0)
    #expect(configuration.maxShardBytes == 4 << 30)
    #expect(configuration.gracePeriod == .seconds(30))
    #expect(configuration.logLevel == .info)
    #expect(configuration.logFormat == .text)
    #expect(try await read(minimal, ["XDG_DATA_HOME": "/data"]).dataFolder.path == "/data/gptqd")
    #expect(try await read(minimal, ["XDG_DATA_HOME": "relative"]).dataFolder.path == "/home/someone/.local/share/gptqd")
  }

  @Test func theExampleFileHasEveryKeyWithItsDefault() async throws {
    let file = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../config/gptqd.yaml")
    let text = try String(contentsOf: file, encoding: .utf8)
    #expect(try await read(text) == read(minimal))
    var section = ""
    var keys: Set<String> = []
    for line in text.split(separator: "\n") where !line.hasPrefix("#") && !line.hasPrefix("  #") {
      let name = line.prefix { $0 != ":" }.trimmingCharacters(in: .whitespaces)
      if line.hasPrefix(" ") { keys.insert("\(section).\(name)") } else { section = name }
    }
    #expect(keys == Set(ConfigurationKey.allCases.map(\.rawValue)))
  }

  @Test func theFileIsRead() async throws {
    let configuration = try await read(
      """
      http:
        {listen: "[::1]:80", max_body_bytes: 4096, idle_timeout_seconds: 5, max_header_bytes: 2048, max_connections: 7,
         min_upload_bytes_per_second: 0, min_download_bytes_per_second: 1}
      auth: {failures_per_minute: 3}
      jobs: {max_queued: 9}
      data: {folder: /srv/gptqd}
      models:
        roots: [/models/a, "/models/b c"]
      datasets:
        roots: /data/a, /data/b
      compute: {threads: 3, workers: 2}
      artifact: {max_shard_bytes: 2097152}
      shutdown: {grace_seconds: 0}
      log: {level: DEBUG, format: json}
      """)
    #expect(configuration.host == "::1")
    #expect(configuration.port == 80)
    #expect(configuration.listen == "[::1]:80")
    #expect(configuration.limits.bodyBytes == 4096)
    #expect(configuration.limits.idleTimeout == .seconds(5))
    #expect(configuration.limits.headerBytes == 2048)
    #expect(configuration.limits.connections == 7)
    #expect(configuration.limits.uploadBytesPerSecond == 0)
    #expect(configuration.limits.downloadBytesPerSecond == 1)
    #expect(configuration.failuresPerMinute == 3)
    #expect(configuration.maxQueuedJobs == 9)
    #expect(configuration.dataFolder.path == "/srv/gptqd")
    #expect(configuration.modelRoots.map(\.path) == ["/models/a", "/models/b c"])
    #expect(configuration.datasetRoots.map(\.path) == ["/data/a", "/data/b"])
    #expect(configuration.threads == 3)
    #expect(configuration.workers == 2)
    #expect(configuration.maxShardBytes == 2 << 20)
    #expect(configuration.gracePeriod == .zero)
    #expect(configuration.logLevel == .debug)
    #expect(configuration.logFormat == .json)
  }

  @Test(arguments: [("8589934592", 8 << 30), ("8GiB", 8 << 30), ("512mib", 512 << 20), ("0", 0), ("4KiB", 4096), ("1TiB", 1 << 40)])
  func memoryIsReadInItsUnits(text: String, bytes: Int) async throws {
    #expect(try await read("compute: {memory_limit: \(text)}").memoryLimit == bytes)
    #expect(try await read(minimal, ["GPTQD_COMPUTE_MEMORY_LIMIT": text]).memoryLimit == bytes)
  }

  @Test func theEnvironmentWins() async throws {
    let yaml = "http: {listen: \"127.0.0.1:1\"}\nmodels: {roots: [/a, /b]}\ncompute: {threads: 3}"
    let configuration = try await read(
      yaml, ["GPTQD_HTTP_LISTEN": "localhost:2", "GPTQD_MODELS_ROOTS": "/c,/d", "GPTQD_SHUTDOWN_GRACE_SECONDS": "7"])
    #expect(configuration.listen == "localhost:2")
    #expect(configuration.modelRoots.map(\.path) == ["/c", "/d"])
    #expect(configuration.threads == 3)
    #expect(configuration.gracePeriod == .seconds(7))
  }

  @Test(arguments: ["127.0.0.1:0", "127.1.2.3:65535", "localhost:80", "[::1]:8790"])
  func loopbackAddressesAreTaken(listen: String) async throws {
    #expect(try await read(minimal, ["GPTQD_HTTP_LISTEN": listen]).listen == listen)
  }

  @Test(arguments: [
    "0.0.0.0:8790", "[::]:8790", "192.168.1.1:80", "example.org:80", "127.evil.example:80", "127.0.0.1.example:80", "127.1:80",
  ])
  func otherAddressesNeedTokens(listen: String) async throws {
    let error = await #expect(throws: ConfigurationError.self) { try await read(minimal, ["GPTQD_HTTP_LISTEN": listen]) }
    #expect(error == .remoteWithoutAuthentication(listen: listen))
    #expect(error?.description.contains("gptqd token new") == true)
    let token = "me:read:" + String(repeating: "0", count: 64)
    let allowed = try await read("auth: {tokens: \"\(token)\"}", ["GPTQD_HTTP_LISTEN": listen])
    #expect(allowed.listen == listen)
  }

  @Test(arguments: [
    ("http.listen", "8790"), ("http.listen", "localhost"), ("http.listen", ":80"), ("http.listen", "localhost:"), ("http.listen", "a:b"),
    ("http.listen", "localhost:65536"), ("http.listen", "localhost:-1"), ("http.listen", "localhost:+80"), ("http.listen", "::1:80"),
    ("http.listen", "[]:80"), ("http.max_header_bytes", "1000"), ("http.max_connections", "0"),
    ("http.min_upload_bytes_per_second", "-1"), ("http.min_download_bytes_per_second", "fast"), ("auth.failures_per_minute", "0"),
    ("jobs.max_queued", "0"), ("http.max_body_bytes", "8M"), ("http.max_body_bytes", "0"),
    ("http.max_body_bytes", "99999999999999999999"), ("http.idle_timeout_seconds", "0"), ("compute.threads", "-1"),
    ("compute.threads", "1.5"), ("compute.workers", "0"), ("compute.workers", "many"), ("compute.memory_limit", "8GB"),
    ("compute.memory_limit", "-1"), ("compute.memory_limit", "GiB"),
    ("compute.memory_limit", "9999999999GiB"), ("compute.memory_limit", "1.5GiB"), ("artifact.max_shard_bytes", "1000"),
    ("shutdown.grace_seconds", "-1"), ("log.level", "loud"), ("log.format", "xml"),
  ])
  func badValuesAreNamed(key: String, value: String) async {
    let variable = "GPTQD_" + key.uppercased().replacing(".", with: "_")
    let sources: [(yaml: String, environment: [String: String])] = [
      ("\(key): \"\(value)\"", [:]), (minimal, [variable: value]),
    ]
    for (yaml, environment) in sources {
      let error = await #expect(throws: ConfigurationError.self) { try await read(yaml, environment) }
      guard case .invalidValue(key, value, let expected) = error else {
        Issue.record("\(error.map(\.description) ?? "no error")")
        continue
      }
      #expect(!expected.isEmpty)
    }
  }

  /// Files that are refused, with what the message has to name.
  private static let hostile: [(yaml: String, message: String)] = [
    ("", "empty"),
    ("# only a comment\n", "empty"),
    ("text", "no keys"),
    ("- a\n- b\n", "no keys"),
    ("42", "no keys"),
    ("http:\n\tlisten: x\n", "line 2"),
    ("http: {listen: x", "YAML"),
    ("a: b: c", "YAML"),
    ("http: {listen: a}\nhttp: {listen: b}\n", "http"),
    ("--- {}\n--- {}\n", "document"),
    ("http: {listn: \"127.0.0.1:1\"}", "unknown key http.listn"),
    ("http: {listen: {port: 5}}", "http.listen must be a single value"),
    ("http: {listen: [a]}", "http.listen must be a single value"),
    ("http: 5", "unknown key http"),
    ("http: [listen]", "unknown key http"),
    ("nothing: {}", "unknown key nothing"),
    ("http: {deep: {deeper: {}}}", "unknown key http.deep"),
    ("HTTP: {listen: x}", "unknown key HTTP"),
    ("? [a, b]\n: c\n", "not a word"),
    ("compute: {threads: ~}", "compute.threads"),
    ("data: {folder: null}", "data.folder"),
    ("data: {folder: \"a\\0b\"}", "data.folder"),
    ("auth: {tokens: {a: b}}", "auth.tokens must be a single value"),
    ("auth: {tokens: [[a]]}", "auth.tokens must be a list of tokens"),
    ("models: {roots: [[a]]}", "models.roots must be a list of folders"),
    ("models: {roots: [{a: b}]}", "models.roots must be a list of folders"),
    ("compute: {threads: &t 1, workers: *t}", "anchor &t"),
    ("models: {roots: &r [a, b]}\ndatasets: {roots: *r}", "anchor &r"),
    ("a: *nothing", "alias"),
    (bomb, "anchor &a"),
    (emptyBomb, "anchor &a"),
    (String(repeating: "[", count: 200_000), "YAML"),
    (String(repeating: "{a: ", count: 100_000), "YAML"),
    (String(repeating: "- ", count: 200_000), "YAML"),
    (String(repeating: "x", count: 2 << 20), "larger than"),
  ]

  /// Ten to the twelfth strings, if it were expanded.
  private static let bomb =
    "a: &a [x,x,x,x,x,x,x,x,x,x]\n" + levels { "[" + Array(repeating: "*\($0)", count: 10).joined(separator: ",") + "]" }

  /// As many mappings, without any value.
  private static let emptyBomb =
    "a: &a {}\n" + levels { level in "{" + (0..<10).map { "k\($0): *\(level)" }.joined(separator: ",") + "}" }

  private static func levels(_ value: (Character) -> String) -> String {
    zip("abcdefghijk", "bcdefghijkl").map { "\($1): &\($1) \(value($0))\n" }.joined()
  }

  @Test func badFilesAreRefusedWithTheReason() async {
    for (yaml, message) in Self.hostile {
      let error = await #expect(throws: ConfigurationError.self, "\(yaml.prefix(60))") { try await read(yaml) }
      #expect(error?.description.contains(message) == true, "\(yaml.prefix(60)): \(error?.description.prefix(300) ?? "")")
    }
  }

  @Test func filesThatCantBeReadAreNamed() async throws {
    let binary: [[UInt8]] = [
      [0xFF, 0xFE, 0x00], [0xC3, 0x28], Array("log: {level: \"".utf8) + [0xED, 0xA0, 0x80] + Array("\"}".utf8), [0],
    ]
    for bytes in binary {
      await #expect(throws: ConfigurationError.self, "\(bytes)") { try await read(Data(bytes)) }
    }
    for path in ["/nowhere/gptqd.yaml", folder.url.path] {
      let error = await #expect(throws: ConfigurationError.self) { try await ServiceConfiguration(file: path, environment: [:]) }
      guard case .unreadable(path, _) = error else {
        Issue.record("\(error.map(\.description) ?? "no error")")
        continue
      }
    }
  }
}
