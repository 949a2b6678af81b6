# SPDX-License-Identifier: Apache-2.0
# coreutils and friends on trees.
# timeout: 300
. "$(dirname "$0")/lib.sh"
same sh -c 'cp -a dir copy && diff -r dir copy && ls -lR copy | grep -v ^total'
same sh -c 'mkdir -p a/b/c && touch a/b/c/f && mv a z && find z | sort && rm -r z && ls'
same sh -c 'cp file big && sed -i s/0123/xxxx/ big && md5sum big file && cmp big file'
same sh -c 'ln -s dir/a s; ln file h; stat -c "%h %F" s h file; readlink -f s; realpath dirlink'
same sh -c 'chmod -R a-w dir; ls -lR dir | grep -v ^total; chmod -R u+w dir; rm -r dir; ls'
same sh -c 'touch -d 2001-02-03 t && date -r t +%F && touch -r t u && stat -c %Y u'
same sh -c 'dd if=file of=o bs=100 count=7 skip=3 2>/dev/null; wc -c o; truncate -s 1M o; stat -c %s o; du -k --apparent-size o'
same sh -c 'sort -r file | uniq -c; split -l 100 file part; ls part*; cat part* | cmp - file'
same sh -c 'seq 100000 | sort -R | sort -n | md5sum; seq 10 | tac | paste -s'
same sh -c 'mkdir many && cd many && seq 2000 | xargs touch && ls | wc -l && rm -r ../many && ls ..'
same sh -c 'mktemp -d ./tmp.XXXXXX | wc -c; install -D -m 755 script x/y/z; stat -c %a x x/y x/y/z'
same sh -c 'mkfifo p; (echo via > p &) ; cat p; test -p p && echo fifo'
same sh -c 'grep -rc 0123 . | sort; find . -name "[ab]" -exec basename {} \; | sort; find . -newer file | sort'
same sh -c 'rmdir dir; rm dir; rm nope; mv file dir/sub; ls dir/sub; cp nope x; cat dir; ls nope'
same sh -c 'tar -cf t.tar dir file hard link && tar -tvf t.tar | sort && mkdir x && tar -xf t.tar -C x && diff -r dir x/dir && stat -c %h x/file'
same sh -c 'gzip -k file && gzip -dc file.gz | cmp - file && rm file.gz; tee a b < readonly; cat a b'
same sh -c 'df . >/dev/null && echo df; stat -f . >/dev/null && echo statf; sync file; nproc; id -u; id -g; uname -sm; hostname >/dev/null'
same sh -c 'cd /usr/bin && ls | md5sum; stat -c "%n %a %s %Y %h" /usr/bin/* | md5sum; ls -l /etc | grep -v ^total | md5sum'
same sh -c 'find /usr/include -type f | sort | xargs cat | md5sum'
finish
