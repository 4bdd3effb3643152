import Foundation

/// Files of a ``SlurmCluster``: slurm.conf, for nodes mpi.conf beside a slurm.conf that includes the former, and munge's key.
struct SlurmConfiguration {
  let folder: URL
  let nodes: [String]
  let cpus: Int
  /// A node's, in MiB.
  let memory: Int
  /// Replace lines of the same name, or are added.
  let options: [String: String]

  func write() throws {
    for name in ["state", "spool", "log", "tmp"] + nodes { try make(name) }
    try write(lines(ports: FreePort.some(nodes.count + 1)), to: "slurm.conf")
    for node in nodes {
      try make("\(node)/tmp")
      try write(["include \(folder.path)/slurm.conf"], to: "\(node)/slurm.conf")
      // Ranks on one host would share, and the first to end would remove, a folder.
      try write(["PMIxCliTmpDirBase=\(folder.path)/\(node)/tmp"], to: "\(node)/mpi.conf")
    }
    try write(Self.taskProlog, to: "prolog")
    try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: folder.appending(path: "prolog").path)
    let key = folder.appending(path: "munge.key")
    try Data((0..<1024).map { _ in UInt8.random(in: 0...255) }).write(to: key)
    try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: key.path)
  }

  /// Keeps what ranks say to each other on the loopback interface, and away from transports that probe for hardware.
  private static let taskProlog = [
    "#!/bin/sh", "echo export OMPI_MCA_pml=ob1", "echo export OMPI_MCA_btl=self,tcp", "echo export OMPI_MCA_btl_tcp_if_include=lo",
  ]

  private func lines(ports: [Int]) -> [String] {
    var values = general
    values["SlurmctldPort"] = "\(ports[0])"
    values.merge(options) { $1 }
    let hosts = zip(nodes, ports.dropFirst()).map { node, port in
      "NodeName=\(node) NodeHostname=localhost NodeAddr=127.0.0.1 Port=\(port) CPUs=\(cpus) RealMemory=\(memory) Feature=any,\(node)"
    }
    let partition = "PartitionName=quant Nodes=\(nodes.joined(separator: ",")) Default=YES MaxTime=INFINITE State=UP"
    return values.map { "\($0)=\($1)" }.sorted() + hosts + [partition]
  }

  private var general: [String: String] {
    let path = folder.path
    return [
      "ClusterName": "test", "SlurmctldHost": "localhost(127.0.0.1)", "SlurmUser": "root",
      // A requeued job can start again when its old credential has expired: 120 s by default.
      "AuthType": "auth/munge", "AuthInfo": "socket=\(path)/munge.sock,cred_expire=10",
      "CommunicationParameters": "NoCtldInAddrAny,NoInAddrAny",
      "ProctrackType": "proctrack/linuxproc", "TaskPlugin": "task/none", "TaskProlog": "\(path)/prolog",
      "JobAcctGatherType": "jobacct_gather/none", "AccountingStorageType": "accounting_storage/none",
      "SelectType": "select/cons_tres", "SelectTypeParameters": "CR_CPU",
      "SchedulerParameters": "batch_sched_delay=0,sched_min_interval=100000,sched_interval=2,bf_interval=2",
      "SlurmdParameters": "config_overrides", "DebugFlags": "NO_CONF_HASH",
      "StateSaveLocation": "\(path)/state", "SlurmdSpoolDir": "\(path)/spool/%n", "TmpFS": "\(path)/tmp",
      "SlurmctldPidFile": "\(path)/slurmctld.pid", "SlurmdPidFile": "\(path)/%n.pid",
      "SlurmctldLogFile": "\(path)/log/slurmctld.log", "SlurmdLogFile": "\(path)/log/%n.log",
      "MailProg": "/bin/true",
      // As short as Slurm allows or works on a busy machine.
      "ReturnToService": "2", "SlurmdTimeout": "10", "KillWait": "2", "MessageTimeout": "5", "MinJobAge": "300",
    ]
  }

  private func make(_ name: String) throws {
    try FileManager.default.createDirectory(at: folder.appending(path: name), withIntermediateDirectories: true)
  }

  private func write(_ lines: [String], to name: String) throws {
    try Data((lines.joined(separator: "\n") + "\n").utf8).write(to: folder.appending(path: name))
  }
}

/// Ports of the loopback interface that nothing listens at.
enum FreePort {
  /// Chosen below those that the kernel gives to outgoing connections: one of these could take a killed daemon's place.
  static func some(_ count: Int) -> [Int] {
    var ports: Set<Int> = []
    while ports.count < count {
      let port = Int.random(in: 15_000..<32_000)
      if isFree(port) { ports.insert(port) }
    }
    return Array(ports)
  }

  private static func isFree(_ port: Int) -> Bool {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    defer { close(descriptor) }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = in_port_t(port).bigEndian
    address.sin_addr.s_addr = in_addr_t(INADDR_LOOPBACK).bigEndian
    return withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) }
    } == 0
  }
}
