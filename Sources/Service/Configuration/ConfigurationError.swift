/// What is wrong with the daemon's configuration.
public enum ConfigurationError: Error, Hashable, Sendable, CustomStringConvertible {
  case unreadable(file: String, reason: String)
  case notYAML(file: String, reason: String)
  case unknownKey(String, file: String, known: [String])
  case invalidValue(key: String, value: String, expected: String)
  case remoteWithoutAuthentication(listen: String)
  case cannotListen(listen: String, reason: String)

  public var description: String {
    switch self {
    case .unreadable(let file, let reason): "the configuration file \(file) can't be read: \(reason)"
    case .notYAML(let file, let reason): "the configuration file \(file) is not the YAML that is expected: \(reason)"
    case .unknownKey(let key, let file, let known):
      "the configuration file \(file) has the unknown key \(key); known are \(known.joined(separator: ", "))"
    case .invalidValue(let key, let value, let expected): "the configuration key \(key) must be \(expected), is \"\(value)\""
    case .remoteWithoutAuthentication(let listen):
      "http.listen \(listen) is reachable from other machines, and requests are not authenticated; "
        + "listen on a loopback address, or set http.allow_remote to true if the network is trusted"
    case .cannotListen(let listen, let reason):
      "http.listen \(listen) can't be listened on: \(reason); choose another address or port (port 0: any that is free)"
    }
  }
}
