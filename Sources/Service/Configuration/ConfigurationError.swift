/// What is wrong with the daemon's configuration.
public enum ConfigurationError: Error, Hashable, Sendable, CustomStringConvertible {
  case unreadable(file: String, reason: String)
  case notYAML(file: String, reason: String)
  case unknownKey(String, file: String, known: [String])
  case invalidValue(key: String, value: String, expected: String)
  /// An entry of `auth.tokens`, counted from 1; its name where it has a proper one. No more of it: the rest may be a secret.
  case invalidToken(entry: Int, name: String?, reason: String)
  case remoteWithoutAuthentication(listen: String)
  case cannotListen(listen: String, reason: String)

  public var description: String {
    switch self {
    case .unreadable(let file, let reason): "the configuration file \(file) can't be read: \(reason)"
    case .notYAML(let file, let reason): "the configuration file \(file) is not the YAML that is expected: \(reason)"
    case .unknownKey(let key, let file, let known):
      "the configuration file \(file) has the unknown key \(key); known are \(known.joined(separator: ", "))"
    case .invalidValue(let key, let value, let expected): "the configuration key \(key) must be \(expected), is \"\(value)\""
    case .invalidToken(let entry, let name, let reason):
      "entry \(entry) of the configuration key auth.tokens\(name.map { ", named \($0)," } ?? "") \(reason)"
    case .remoteWithoutAuthentication(let listen):
      "http.listen \(listen) is reachable from other machines, but auth.tokens is empty; make a token with \"gptqd token new NAME\" "
        + "and put the line that it prints into auth.tokens, or listen on a loopback address"
    case .cannotListen(let listen, let reason):
      "http.listen \(listen) can't be listened on: \(reason); choose another address or port (port 0: any that is free)"
    }
  }
}
