/* SPDX-License-Identifier: Apache-2.0 */
/* stats.c - attributes of files in all their fields. trace options: -v */
#include "t.h"

#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/utsname.h>
#include <time.h>

static const char *dev(dev_t d)
{
	static char text[64], maj[16], min[16];
	snprintf(maj, sizeof maj, "%#x", major(d));
	snprintf(min, sizeof min, "%#x", minor(d));
	snprintf(text, sizeof text, "makedev(%s, %s)", maj, min);
	return text;
}

static void put_time(const char *name, struct timespec ts)
{
	char iso[64];
	strftime(iso, sizeof iso, "%Y-%m-%dT%H:%M:%S", gmtime(&ts.tv_sec));
	printf(", st_%s=%ld /* %s", name, (long)ts.tv_sec, iso);
	if (ts.tv_nsec)
		printf(".%09ld", ts.tv_nsec);
	printf("+0000 */, st_%s_nsec=%ld", name, ts.tv_nsec);
}

static void one(const char *name, const char *mode)
{
	struct stat st;
	syscall(SYS_newfstatat, AT_FDCWD, name, &st, AT_SYMLINK_NOFOLLOW);
	printf("newfstatat(AT_FDCWD, \"%s\", {st_dev=%s, st_ino=%lu, st_mode=%s, st_nlink=%lu, st_uid=%u, st_gid=%u, "
	       "st_blksize=%ld, st_blocks=%ld",
	       name, dev(st.st_dev), st.st_ino, mode, st.st_nlink, st.st_uid, st.st_gid, st.st_blksize, st.st_blocks);
	if (S_ISCHR(st.st_mode))
		printf(", st_rdev=%s", dev(st.st_rdev));
	else
		printf(", st_size=%ld", st.st_size);
	put_time("atime", st.st_atim);
	put_time("mtime", st.st_mtim);
	put_time("ctime", st.st_ctim);
	printf("}, AT_SYMLINK_NOFOLLOW) = 0\n");
}

int main(void)
{
	struct stat st;
	struct statx stx;
	struct utsname u;

	one("file", "S_IFREG|0644");
	one("dir", "S_IFDIR|0755");
	one("link", "S_IFLNK|0777");
	one("fifo", "S_IFIFO|0644");
	one("/dev/null", "S_IFCHR|0666");
	expect(syscall(SYS_newfstatat, AT_FDCWD, "nowhere", &st, 0), "newfstatat(AT_FDCWD, \"nowhere\", %p, 0)",
	       (void *)&st);
	syscall(SYS_statx, AT_FDCWD, "nowhere", AT_STATX_FORCE_SYNC, STATX_BASIC_STATS, &stx);
	expect(-1, "statx(AT_FDCWD, \"nowhere\", AT_STATX_FORCE_SYNC, STATX_BASIC_STATS, %p)", (void *)&stx);
	uname(&u);
	ok("uname({sysname=\"%s\", nodename=\"%s\", release=\"%s\", version=\"%s\", machine=\"%s\", domainname=\"%s\"})",
	   u.sysname, u.nodename, u.release, u.version, u.machine, u.domainname);
	int fd = open("dir", O_RDONLY | O_DIRECTORY);
	struct {
		unsigned long ino;
		long off;
		unsigned short len;
		unsigned char type;
		char name[1];
	} * d;
	char buf[1024];
	long n = syscall(SYS_getdents64, fd, buf, sizeof buf);
	printf("getdents64(%d, [", fd);
	for (long at = 0; at < n; at += d->len) {
		d = (void *)(buf + at);
		printf("%s{d_ino=%lu, d_off=%ld, d_reclen=%u, d_type=%s, d_name=\"%s\"}", at ? ", " : "", d->ino, d->off,
		       d->len, d->type == 4 ? "DT_DIR" : "DT_REG", d->name);
	}
	printf("], 1024) = %ld\n", n);
	return 0;
}
