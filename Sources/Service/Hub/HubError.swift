/// What keeps a model from being got from the Hub. The texts hold nothing that the Hub sent but what was checked.
enum HubError: Error, Hashable, Sendable {
  case notConfigured
  /// No answer, or one that was cut.
  case unreachable(host: String, reason: String)
  /// Status 408, 429 or 5xx.
  case busy(status: Int, retryAfter: Duration?)
  case unauthorized(repository: String, withToken: Bool)
  case gated(repository: String)
  case noRepository(String, withToken: Bool)
  case noRevision(String, repository: String)
  case noFile(String, repository: String)
  case unexpectedStatus(Int, path: String)
  /// A redirect that isn't followed.
  case redirect(reason: String)
  /// An answer that isn't what the protocol says.
  case malformed(String)
  /// The repository is fine, and no model that can be quantized.
  case unusable(String)
  case wrongBytes(file: String, reason: String)
  case noLibrary
  case cancelled

  /// Another try may go better.
  var isTransient: Bool {
    switch self {
    case .unreachable, .busy: true
    default: false
    }
  }

  /// Such as `hub_unreachable`.
  var code: String {
    switch self {
    case .notConfigured: "hub_not_configured"
    case .unreachable, .noLibrary, .cancelled: "hub_unreachable"
    case .busy: "hub_busy"
    case .unauthorized, .gated: "hub_unauthorized"
    case .noRepository, .noRevision, .noFile: "hub_not_found"
    case .unexpectedStatus, .redirect, .malformed: "hub_protocol"
    case .unusable: "invalid_model"
    case .wrongBytes: "hub_wrong_bytes"
    }
  }
}

extension HubError {
  init(_ error: OutgoingError) {
    self =
      switch error {
      case .unreachable(let host, let reason): .unreachable(host: host, reason: reason)
      case .malformed(let reason): .malformed(reason)
      case .noLibrary: .noLibrary
      case .cancelled: .cancelled
      }
  }

  static func translating<Result>(_ body: () throws -> Result) throws -> Result {
    do { return try body() } catch let error as OutgoingError { throw HubError(error) }
  }
}

extension HubError: CustomStringConvertible {
  var description: String {
    switch self {
    case .notConfigured: "models of a Hub can't be used: hub.endpoint isn't configured"
    case .unreachable(let host, let reason): "the Hub at \(host) can't be reached: \(reason)"
    case .busy(let status, let pause):
      "the Hub answers with status \(status)" + (pause.map { ", to be asked again after \($0.components.seconds) seconds" } ?? "")
    case .unauthorized(let repository, let withToken):
      withToken ? "the Hub refuses hub.token for \(repository)" : "the Hub doesn't show \(repository) without a token"
    case .gated(let repository): "the Hub gives \(repository) only to accounts that have accepted its conditions"
    case .noRepository(let repository, let withToken):
      "the Hub has no repository \(repository)" + (withToken ? " that hub.token may see" : ", or doesn't show it without a token")
    case .noRevision(let revision, let repository): "the repository \(repository) has no revision \(revision)"
    case .noFile(let file, let repository): "the repository \(repository) no longer has the file \(file)"
    case .unexpectedStatus(let status, let path): "the Hub answers with status \(status) for \(path)"
    case .redirect(let reason): "the Hub sends elsewhere, which isn't followed: \(reason)"
    case .malformed(let reason): "the Hub's answer can't be used: \(reason)"
    case .unusable(let reason): reason
    case .wrongBytes(let file, let reason): "the Hub doesn't give \(file) as it promises it: \(reason)"
    case .noLibrary: "libcurl.so.4 can't be loaded"
    case .cancelled: "the download was stopped"
    }
  }

  /// What can be done about it.
  var advice: String {
    switch self {
    case .notConfigured: "Set hub.endpoint, such as https://huggingface.co, and restart gptqd."
    case .unreachable:
      "Look at hub.endpoint, the network and its proxy settings (https_proxy); then gptqctl retry: it goes on where it was."
    case .busy: "Wait, or set hub.token if the Hub limits anonymous clients; then gptqctl retry: it goes on where it was."
    case .unauthorized: "Set hub.token to a token that may read the repository, and restart gptqd."
    case .gated: "Accept the conditions on the repository's page with the account of hub.token; then gptqctl retry."
    case .noRepository: "Check the spelling; for a private repository set hub.token, and restart gptqd."
    case .noRevision, .noFile: "Submit the job again, with a revision that the repository has."
    case .unexpectedStatus, .redirect, .malformed: "Check that hub.endpoint is the address of a Hub, not of a proxy or a page."
    case .unusable: "Choose a repository with a model in safetensors files."
    case .wrongBytes: "The bytes were got again in vain: a proxy between may change them, or the Hub's storage is damaged."
    case .noLibrary: "Install it (Debian, Ubuntu: apt-get install libcurl4), and restart gptqd."
    case .cancelled: "gptqctl retry goes on where it was."
    }
  }
}
