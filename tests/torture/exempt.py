"""What the server takes from the C library and the shim lets alone, each with the reason.

test_torture compares it, and what the shim has, with what the binary imports: whoever makes the server
call something new puts it into shim.cpp, or here. A name stands for its checked form, __NAME_chk, too.
"""

EXEMPT = {
    "needs nothing of the kernel": """
        abort backtrace ceil clearenv __cxa_atexit __cxa_finalize __environ environ __errno_location
        exp explicit_bzero floor free freeaddrinfo freeifaddrs getenv gmtime_r iconv iconv_close
        inet_ntop inet_pton __libc_start_main llround log10 longjmp memchr memcmp memcpy memmove
        memset pthread_cond_broadcast pthread_cond_destroy pthread_cond_init pthread_cond_signal
        pthread_cond_wait pthread_condattr_destroy pthread_condattr_init pthread_condattr_setclock
        pthread_mutex_destroy pthread_mutex_init pthread_mutex_lock pthread_mutex_unlock round
        __sched_cpualloc __sched_cpucount __sched_cpufree setenv _setjmp sigaddset sigemptyset
        sigfillset snprintf sprintf sqrt __stack_chk_fail strcat strchr strcmp strerror strerror_r
        strftime strlen strncpy strtol strtoul strtoull sysconf time __tls_get_addr trunc vsnprintf
    """,
    "has no failure to report": """
        _exit getpid getppid pause
    """,
    "fails only for arguments that are wrong": """
        dup2 kill lseek munmap pthread_detach pthread_join pthread_sigmask sigaction signal sigprocmask
        timerfd_settime
    """,
    "its failure changes nothing: the descriptor is closed all the same": """
        close
    """,
    "is asked without waiting, of children that are there, and then cannot fail": """
        wait4
    """,
    "cannot fail on eventfds and pipes with room; on stderr what is wrong must come out": """
        fprintf fputs write
    """,
    "sets O_NONBLOCK by FIONBIO, which cannot fail; asks for the width of a terminal": """
        ioctl
    """,
    "reads what the C library finds on its own, and it goes on without": """
        newlocale tzset
    """,
    "only commands that serve nothing call it": """
        flock getaddrinfo isatty
    """,
    "comes with Boost.Asio, for what is not used of it": """
        epoll_create if_indextoname if_nametoindex
    """,
    "loads the part of libvips for HEIF, without which that is an unknown format": """
        dlopen
    """,
}
