import NIOPosix
import NIOCore
import Logging
import ServiceLifecycle
import UnixSignals
import Yams
