import Cluster
import Configuration
import Foundation
import JobStore
import Logging

/// The daemon's settings: the file's, overridden by the environment's.
public struct ServiceConfiguration: Sendable, Hashable {
  /// Address and port; port 0 lets the system choose.
  public var host = "127.0.0.1"
  public var port = 8790
  public var limits = HTTPLimits()
  /// Who may do what; none: everybody who can reach a loopback address.
  public var tokens: [AccessToken] = []
  /// Requests a minute without a right token, after which an address is told to wait.
  public var failuresPerMinute = 10
  /// Jobs that may wait for a worker.
  public var maxQueuedJobs = 1000
  /// That jobs may send webhooks to; none: no job has a webhook.
  public var webhookHosts = AllowedHosts()
  package var webhookTiming = WebhookTiming()
  public var dataFolder: URL
  public var modelRoots: [URL]
  public var datasetRoots: [URL]
  public var uploads = UploadLimits()
  public var hub = HubSettings()
  /// Cores for all jobs together; 0: all of the machine.
  public var threads = 0
  /// Jobs that run at once.
  public var workers = 1
  /// Bytes that all jobs together may have resident; 0: three quarters of the machine's.
  public var memoryLimit = 0
  /// Where jobs run.
  public var executor = ExecutorKind.local
  public var slurm = SlurmSettings()
  /// Most bytes of tensors in a file of an artifact.
  public var maxShardBytes = 4 << 30
  /// Between two rounds that hash all artifacts.
  public var verifyInterval = Duration.seconds(24 * 3600)
  /// After which jobs that ended are deleted; nil: never.
  public var retentionAge: Duration?
  /// Of the data folder, above which jobs that ended are deleted; nil: any.
  public var maxDataBytes: Int?
  public var gracePeriod = Duration.seconds(30)
  package var eventTiming = EventTiming()
  public var logLevel = Logger.Level.info
  public var logFormat = LogFormat.text

  public enum LogFormat: String, Sendable, CaseIterable { case text, json }

  /// Where the daemon looks for a file when none is named.
  public static let defaultFile = "/etc/gptqd/gptqd.yaml"

  /// - Parameters:
  ///   - file: YAML; nil: `defaultFile` if it is there.
  ///   - environment: Of the process.
  /// - Throws: `ConfigurationError`.
  public init(file: String?, environment: [String: String] = ProcessInfo.processInfo.environment) async throws {
    let values = try await ConfigurationValues(file: file, environment: environment)
    dataFolder = try values.folder(.dataFolder) ?? Self.defaultDataFolder(environment)
    modelRoots = try values.folders(.modelRoots) ?? [dataFolder.appending(component: "models")]
    datasetRoots = try values.folders(.datasetRoots) ?? [dataFolder.appending(component: "datasets")]
    uploads = try UploadLimits(values)
    limits = try HTTPLimits(values)
    limits.uploadBytes = uploads.fileBytes
    tokens = try values.tokens()
    failuresPerMinute = try values.integer(.failuresPerMinute, in: 1...1_000_000) ?? failuresPerMinute
    maxQueuedJobs = try values.integer(.maxQueuedJobs, in: 1...1_000_000) ?? maxQueuedJobs
    hub = try HubSettings(values)
    webhookHosts = try values.allowedHosts()
    threads = try values.integer(.threads, in: 0...4096) ?? threads
    workers = try values.integer(.workers, in: 1...256) ?? workers
    memoryLimit = try values.bytes(.memoryLimit) ?? memoryLimit
    executor = try values.choice(.executor, of: ExecutorKind.self) ?? executor
    slurm = try SlurmSettings(values)
    maxShardBytes = try values.integer(.maxShardBytes, in: (1 << 20)...(1 << 40)) ?? maxShardBytes
    verifyInterval = try values.integer(.verifyHours, in: 1...8760).map { .seconds($0 * 3600) } ?? verifyInterval
    retentionAge = try values.integer(.retentionDays, in: 0...36_500).flatMap { $0 > 0 ? .seconds($0 * 86_400) : nil }
    maxDataBytes = try values.bytes(.maxDataBytes).flatMap { $0 > 0 ? $0 : nil }
    gracePeriod = try values.integer(.graceSeconds, in: 0...86_400).map { .seconds($0) } ?? gracePeriod
    logLevel = try values.choice(.logLevel, of: Logger.Level.self) ?? logLevel
    logFormat = try values.choice(.logFormat, of: LogFormat.self) ?? logFormat
    if let listen = values.string(.listen) { (host, port) = try Self.address(listen) }
    guard !tokens.isEmpty || LoopbackName.isLoopback(host) else {
      throw ConfigurationError.remoteWithoutAuthentication(listen: listen)
    }
  }

  /// As it is written in the configuration: "host:port", brackets around an IPv6 address.
  public var listen: String { (host.contains(":") ? "[\(host)]" : host) + ":\(port)" }

  private static func defaultDataFolder(_ environment: [String: String]) -> URL {
    if let data = environment["XDG_DATA_HOME"], data.hasPrefix("/") { return URL(filePath: data).appending(component: "gptqd") }
    return URL(filePath: environment["HOME"] ?? NSHomeDirectory()).appending(path: ".local/share/gptqd")
  }

  /// "host:port" or "[address]:port".
  private static func address(_ text: String) throws(ConfigurationError) -> (host: String, port: Int) {
    let invalid = ConfigurationError.invalidValue(
      key: ConfigurationKey.listen.rawValue, value: text, expected: "an address and a port, as 127.0.0.1:8790 or [::1]:8790")
    guard let colon = text.lastIndex(of: ":"), case let digits = text[text.index(after: colon)...],
      digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let port = UInt16(digits)
    else { throw invalid }
    var host = text[..<colon]
    if host.hasPrefix("["), host.hasSuffix("]") {
      host = host.dropFirst().dropLast()
    } else if host.contains(":") {
      throw invalid
    }
    guard !host.isEmpty else { throw invalid }
    return (String(host), Int(port))
  }
}
